// One dashboard, drawn with Grafana's own components from query results that draw.mjs put into window.DRAWING.
//
// It stands in for the parts of Grafana that no package holds: the grid, the rows, the choice of a component for each
// panel type. Everything inside a panel (colours, units, thresholds, overrides, transformations, legends) is Grafana's.

import React, { useEffect } from 'react';
import { createRoot } from 'react-dom/client';
import {
  EventBusSrv, FieldConfigOptionsRegistry, FieldType, LoadingState, ThemeContext, applyFieldOverrides, cacheFieldDisplayNames, createTheme, dateTime,
  getFieldDisplayValues, getDisplayValueAlignmentFactors, standardFieldConfigEditorRegistry, standardTransformers,
  standardTransformersRegistry, toDataFrame, transformDataFrame,
} from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { BarGauge, BigValue, GlobalStyles, PanelChrome, PanelContextProvider, TimeSeries, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import 'uplot/dist/uPlot.min.css';

const { dashboard, results, from, to, width, theme: colours } = window.DRAWING;
const theme = createTheme({ colors: { mode: colours } });
const timeRange = { from: dateTime(from), to: dateTime(to), raw: { from: dateTime(from), to: dateTime(to) } };

const plain = ['unit', 'min', 'max', 'decimals', 'displayName', 'noValue', 'color', 'thresholds', 'mappings'];
const custom = ['drawStyle', 'lineWidth', 'lineStyle', 'fillOpacity', 'fillBelowTo', 'gradientMode', 'lineInterpolation', 'spanNulls',
  'showPoints', 'pointSize', 'stacking', 'axisPlacement', 'axisSoftMax', 'axisLabel', 'axisColorMode', 'axisBorderShow', 'axisCenteredZero', 'barAlignment',
  'scaleDistribution', 'thresholdsStyle', 'hideFrom', 'insertNulls', 'align', 'cellOptions', 'filterable', 'inspect', 'width', 'minWidth'];
const option = (path, isCustom) => ({
  id: isCustom ? `custom.${path}` : path, path, name: path, isCustom, override: () => null, editor: () => null,
  process: (value) => value, shouldApply: () => true,
});
const registry = new FieldConfigOptionsRegistry(() => [...plain.map((p) => option(p, false)), ...custom.map((p) => option(p, true))]);
standardFieldConfigEditorRegistry.setInit(() => plain.map((p) => option(p, false)));
const transformer = (transformation) => ({ id: transformation.id, name: transformation.name, transformation: async () => transformation, editor: () => null });
const transformers = new Map(Object.values(standardTransformers).map((each) => [each.id, transformer(each)]));
standardTransformersRegistry.setInit(() => [...transformers.values()]);

/** What the Prometheus data source would hand over. */
function frames(panel) {
  const tables = panel.targets.filter((t) => t.format === 'table').length;
  return panel.targets.flatMap((target, n) => {
    const series = results[`${panel.id}.${target.refId}`] ?? [];
    if (target.format === 'table') {
      const labels = [...new Set(series.flatMap((s) => Object.keys(s.labels)))].sort();
      if (series.length === 0) return [];
      return [toDataFrame({ refId: target.refId, fields: [
        { name: 'Time', type: FieldType.time, values: series.map((s) => s.times.at(-1)) },
        ...labels.map((name) => ({ name, type: FieldType.string, values: series.map((s) => s.labels[name] ?? '') })),
        { name: tables > 1 ? `Value #${target.refId}` : 'Value', type: FieldType.number, values: series.map((s) => s.values.at(-1)) },
      ] })];
    }
    return series.map((s) => toDataFrame({ refId: target.refId, name: s.legend, fields: [
      { name: 'Time', type: FieldType.time, values: s.times },
      { name: 'Value', type: FieldType.number, labels: s.labels, values: s.values, config: { displayNameFromDS: s.legend } },
    ] }));
  });
}

function prepared(panel) {
  const over = (data) => {
    const done = applyFieldOverrides({
      data, fieldConfig: panel.fieldConfig, fieldConfigRegistry: registry, replaceVariables: (text) => text, theme, timeZone: 'utc',
    });
    cacheFieldDisplayNames(done);
    return done;
  };
  return { raw: frames(panel), over };
}

/** The transformations of a panel, then its field settings. */
function useFrames(panel) {
  const { raw, over } = React.useMemo(() => prepared(panel), [panel]);
  const [data, set] = React.useState(panel.transformations ? null : over(raw));
  useEffect(() => {
    if (!panel.transformations) return undefined;
    const steps = panel.transformations;
    const sub = transformDataFrame(steps, raw, { interpolate: (text) => text }).subscribe((frames) => set(over(frames)));
    return () => sub.unsubscribe();
  }, [panel]);
  return data;
}

const Nothing = ({ panel, w, h }) => (
  <div style={{ width: w, height: h, display: 'flex', alignItems: 'center', justifyContent: 'center', color: theme.colors.text.secondary }}>
    {panel.fieldConfig.defaults.noValue ?? 'No data'}
  </div>
);

function Values({ panel, data, w, h, draw, itemSpacing = 8, minVizWidth, minVizHeight, maxVizHeight }) {
  const { reduceOptions, orientation } = panel.options;
  const getValues = () => getFieldDisplayValues({
    fieldConfig: panel.fieldConfig, reduceOptions, replaceVariables: (text) => text, theme, data, sparkline: false, timeZone: 'utc',
  });
  return (
    <VizRepeater getValues={getValues} getAlignmentFactors={getDisplayValueAlignmentFactors} renderValue={draw} width={w} height={h}
      source={data} itemSpacing={itemSpacing} autoGrid={panel.type === 'stat'} renderCounter={1} orientation={orientation}
      minVizWidth={minVizWidth} minVizHeight={minVizHeight} maxVizHeight={maxVizHeight} />
  );
}

function Content({ panel, w, h }) {
  const data = useFrames(panel);
  const options = panel.options;
  if (data === null) return null;
  if (data.length === 0 && panel.type !== 'stat') return <Nothing panel={panel} w={w} h={h} />;
  switch (panel.type) {
    case 'stat':
      return <Values panel={panel} data={data} w={w} h={h} draw={({ value, alignmentFactors, width, height, count, orientation }) => (
        <BigValue value={value.display} count={count} width={width} height={height} colorMode={options.colorMode} graphMode={options.graphMode}
          justifyMode={options.justifyMode} textMode={options.textMode === 'auto' ? (count > 1 ? 'value_and_name' : 'value') : options.textMode}
          alignmentFactors={alignmentFactors} theme={theme} wideLayout={options.wideLayout} />)} />;
    case 'bargauge':
      return <Values panel={panel} data={data} w={w} h={h} minVizWidth={options.minVizWidth} minVizHeight={options.minVizHeight}
        maxVizHeight={options.maxVizHeight} draw={({ value, alignmentFactors, width, height, orientation, isOverflow }) => (
          <BarGauge value={value.display} field={value.field} display={value.view?.getFieldDisplayProcessor(value.colIndex)} width={width} height={height}
            orientation={orientation} theme={theme} itemSpacing={8} displayMode={options.displayMode} alignmentFactors={alignmentFactors}
            showUnfilled={options.showUnfilled} valueDisplayMode={options.valueMode} namePlacement={options.namePlacement} isOverflow={isOverflow} />)} />;
    case 'timeseries':
      return <TimeSeries frames={data} width={w} height={h} timeRange={timeRange} timeZone="utc" legend={options.legend} options={options} />;
    case 'table':
      return <TableNG data={data[0]} width={w} height={h} cellHeight={options.cellHeight} noHeader={!options.showHeader} structureRev={1}
        initialSortBy={options.sortBy} timeRange={timeRange} fieldConfig={panel.fieldConfig} enableVirtualization={false} />;
    default:
      throw new Error(`no component for ${panel.type}`);
  }
}

const COLUMN = width / 24;
const phone = width < 769;

function Dashboard() {
  const context = { eventsScope: 'draw', eventBus: new EventBusSrv(), onToggleSeriesVisibility() {}, canAddAnnotations: () => false };
  let below = 0;
  const boxes = dashboard.panels.map((panel) => {
    const { x, y, w, h } = panel.gridPos;
    const height = h * 38 - 8;
    const box = phone ? { left: 0, top: below, width, height } : { left: x * COLUMN, top: y * 38, width: w * COLUMN - 8, height };
    below += height + 8;
    return { panel, box };
  });
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <PanelContextProvider value={context}>
        <div style={{ position: 'relative', width, margin: 16, fontFamily: theme.typography.fontFamily }}>
          {boxes.map(({ panel, box }) => (
            <div key={panel.id} style={{ position: 'absolute', ...box }}>
              {panel.type === 'row'
                ? <div style={{ ...theme.typography.h5, color: theme.colors.text.primary, paddingTop: 4 }}>⌄ {panel.title}</div>
                : (
                  <PanelChrome title={panel.title} description={panel.description} width={box.width} height={box.height} padding="md" loadingState={LoadingState.Done}>
                    {(w, h) => <Content panel={panel} w={w} h={h} />}
                  </PanelChrome>
                )}
            </div>
          ))}
        </div>
      </PanelContextProvider>
    </ThemeContext.Provider>
  );
}

window.onerror = (message) => { document.title = `error: ${message}`; };
await initPluginTranslations('grafana-ui');
document.body.style.background = theme.colors.background.canvas;
createRoot(document.getElementById('root')).render(<Dashboard />);
