// What a dashboard of ours may hold: Grafana's own types, put together panel by panel.
//
// Grafana types a panel's options as "anything"; here each panel type has the options and field settings of its plugin.
// Targets are typed by hand: @grafana/schema has no type for queries of the Prometheus data source.

import type { Dashboard, DataQuery, FieldConfig, FieldConfigSource, Panel, RowPanel, VariableModel } from '@grafana/schema';
import type { Options as StatOptions } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type { Options as BarGaugeOptions } from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type { Options as TableOptions, FieldConfig as TableFieldConfig } from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type { Options as TimeSeriesOptions, FieldConfig as TimeSeriesFieldConfig } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

/** JSON has no enums: their values stand for them. */
type Loose<T> = T extends string ? `${T}` | (string extends T ? string : never)
  : T extends number | boolean | null | undefined ? T
  : T extends (infer E)[] ? Loose<E>[]
  : T extends object ? { [K in keyof T]: Loose<T[K]> }
  : T;

interface Target extends Pick<DataQuery, 'refId' | 'datasource'> {
  editorMode: 'code';
  expr: string;
  legendFormat: string;
  range: boolean;
  instant: boolean;
  format?: 'table' | 'time_series' | 'heatmap';
}

interface Described<Type extends string, Options, Custom = Record<string, never>>
  extends Omit<Panel, 'type' | 'options' | 'targets' | 'fieldConfig' | 'description' | 'id' | 'gridPos'> {
  type: Type;
  id: number;
  description: string;
  gridPos: { x: number; y: number; w: number; h: number };
  options: Options;
  targets: Target[];
  fieldConfig: Omit<FieldConfigSource, 'defaults'> & { defaults: Omit<FieldConfig, 'custom'> & { custom?: Partial<Custom> } };
}

type AnyPanel =
  | Described<'stat', Partial<StatOptions>>
  | Described<'bargauge', Partial<BarGaugeOptions>>
  | Described<'timeseries', Partial<TimeSeriesOptions>, TimeSeriesFieldConfig>
  | Described<'table', Partial<TableOptions>, TableFieldConfig>
  | RowPanel;

export type Checked = Loose<
  Omit<Dashboard, 'panels' | 'templating'> & { schemaVersion: 42; panels: AnyPanel[]; templating: { list: VariableModel[] } }
>;
