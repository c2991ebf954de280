// A made-up campaign of six hours for pictures: 5,000 people, three relays, 36 seeds; from the third hour on Google files
// what ses-1 sends to spam. It is written as OpenMetrics, turned into blocks by promtool and served by a Prometheus.

import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const HOURS = 6;
const STEP = 30;
const PROVIDERS = { google: 0.45, microsoft: 0.25, yahoo: 0.12, apple: 0.06, other: 0.12 };
const RELAYS = { 'gmail-anna': 0.1, 'gmail-minh': 0.1, 'ses-1': 0.8 };
// Opens of what was accepted, by how they were; Google's fall when its copies go to spam.
const OPENS = {
  google: { human: 0.02, proxy: 0.24, prefetch: 0.01 }, microsoft: { human: 0.21, proxy: 0, prefetch: 0.04 }, yahoo: { human: 0.04, proxy: 0.19, prefetch: 0 },
  apple: { human: 0.05, proxy: 0, prefetch: 0.55 }, other: { human: 0.2, proxy: 0, prefetch: 0.08 },
};
const SEEDS = { google: 6, microsoft: 4, yahoo: 2 };

function wilson(k, n) {
  const z = 1.959964, p = k / n, d = 1 + z * z / n, m = p + z * z / (2 * n), h = z * Math.sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return [p, Math.max(0, (m - h) / d), Math.min(1, (m + h) / d)];
}

/** Numbers that look like work, the same each time. */
function random() {
  let state = 7;
  return () => { state = (state * 1103515245 + 12345) % 2147483648; return state / 2147483648; };
}

/** All samples: name, labels, time, value. */
function* samples(start) {
  const next = random();
  const c = 'campaign="autumn"';
  const sent = {}, counts = {};
  const add = (key, n) => { counts[key] = (counts[key] ?? 0) + n; };
  const audience = 5000;
  for (let second = 0; second <= HOURS * 3600; second += STEP) {
    const t = start + second;
    const share = Math.min(1, Math.max(0, (second - 900) / (4.6 * 3600)));
    const slow = second > 9000 && second < 12600;
    let total = { accepted: 0, rejected: 0, bounced: 0, deferredNow: 0 };
    for (const [relay, r] of Object.entries(RELAYS)) {
      const paused = (relay === 'gmail-minh' && second > 10800 && second < 14400) || (relay === 'gmail-anna' && second > 20000);
      for (const [provider, p] of Object.entries(PROVIDERS)) {
        const key = `${c},relay="${relay}",provider="${provider}"`;
        const due = audience * r * p * share;
        const had = sent[key] ?? 0;
        const now = paused ? 0 : Math.max(0, due - had) * (slow && provider === 'microsoft' ? 0.05 : 0.5) * (0.6 + next());
        sent[key] = had + now;
        const part = { accepted: now * 0.965, rejected: now * (provider === 'other' ? 0.03 : 0.012), deferred: (slow && provider === 'microsoft' ? 2 : now * 0.03 * (1 + next())), suppressed: 0, expired: 0, cancelled: 0, failed: 0, unknown: 0, bounced: now * 0.006 };
        for (const [result, n] of Object.entries(part)) { add(`m|${key},result="${result}"`, n); yield ['postroad_messages_total', `${key},result="${result}"`, t, counts[`m|${key},result="${result}"`]]; }
        for (const [cls, reason, n] of [['2xx', 'none', part.accepted], ['4xx', provider === 'microsoft' ? 'rate_limited' : 'greylisted', part.deferred], ['5xx', 'bad_mailbox', part.rejected * 0.8], ['5xx', 'reputation_block', part.rejected * 0.2]]) {
          const k = `relay="${relay}",provider="${provider}",class="${cls}",reason="${reason}"`; add(`r|${k}`, n); yield ['postroad_smtp_replies_total', k, t, counts[`r|${k}`]];
        }
        for (const [kind, reason, n] of [['hard', 'bad_mailbox', now * 0.004], ['soft', 'mailbox_full', now * 0.006], ['block', 'reputation_block', now * (relay === 'ses-1' && provider === 'google' && second > 10800 ? 0.01 : 0.001)]]) {
          const k = `${key},kind="${kind}",reason="${reason}"`; add(`b|${k}`, n); yield ['postroad_bounces_total', k, t, counts[`b|${k}`]];
          yield ['postroad_campaign_feedback', k, t, Math.round(counts[`b|${k}`])];
        }
        add(`c|${key}`, now * (provider === 'yahoo' ? 0.0022 : 0.0006)); yield ['postroad_complaints_total', key, t, counts[`c|${key}`]];
        yield ['postroad_campaign_feedback', `${key},kind="complaint",reason="complaint"`, t, Math.round(counts[`c|${key}`])];
        total.accepted += counts[`m|${key},result="accepted"`]; total.rejected += counts[`m|${key},result="rejected"`]; total.bounced += counts[`m|${key},result="bounced"`];
        const k = `relay="${relay}",provider="${provider}"`;
        for (const [le, q] of [['0.1', 0.2], ['0.25', 0.6], ['0.5', 0.85], ['1', 0.96], ['2.5', 0.99], ['+Inf', 1]]) { add(`d|${k}${le}`, now * (slow && provider === 'microsoft' ? q * q : q)); yield ['postroad_send_duration_seconds_bucket', `${k},le="${le}"`, t, counts[`d|${k}${le}`]]; }
      }
      yield ['postroad_relay_paused', `relay="${relay}",reason="${paused ? 'quota' : 'none'}"`, t, paused ? 1 : 0];
      if (paused) yield ['postroad_relay_paused_until_timestamp_seconds', `relay="${relay}"`, t, start + (second > 20000 ? 30000 : 14400)];
      yield ['postroad_relay_lane_held', `relay="${relay}"`, t, 1];
      const used = Object.keys(PROVIDERS).reduce((sum, p) => sum + (sent[`${c},relay="${relay}",provider="${p}"`] ?? 0), 0);
      for (const [limit, window, amount, start0] of relay === 'ses-1' ? [['day', '24h', 50000, 6000]] : [['day', '24h', 500, relay === 'gmail-anna' ? -60 : -20]]) {
        yield ['postroad_relay_quota_limit_messages', `relay="${relay}",limit="${limit}",window="${window}"`, t, amount];
        yield ['postroad_relay_quota_used_messages', `relay="${relay}",limit="${limit}",window="${window}"`, t, Math.min(amount, Math.max(0, Math.round(used + start0)))];
      }
      for (const [state, n] of [['opening', 0], ['idle', 1], ['busy', paused || share === 1 ? 0 : relay === 'ses-1' ? 4 + Math.round(4 * next()) : 1]]) yield ['postroad_relay_connections', `relay="${relay}",state="${state}"`, t, n];
    }
    const a = Math.round(total.accepted), b = Math.round(total.bounced), j = Math.round(total.rejected);
    const wait = Math.max(0, audience - a - b - j - 21);
    const deferred = Math.min(wait, slow ? 180 : 30);
    for (const [state, n] of [['accepted', a], ['rejected', j], ['bounced', b], ['unknown', second > 16000 ? 1 : 0], ['suppressed', 20], ['scheduled', Math.max(0, audience - a - b - j - 20 - (second > 16000 ? 1 : 0))], ['expired', 0], ['cancelled', 0], ['failed', 0], ['leased', 0], ['sending', 0]]) yield ['postroad_campaign_recipients', `${c},state="${state}"`, t, n];
    for (const [state, n] of [['scheduled', wait - deferred], ['deferred', deferred], ['leased', share === 1 ? 0 : 8], ['sending', share === 1 ? 0 : 4]]) yield ['postroad_queue_messages', `${c},state="${state}"`, t, n];
    yield ['postroad_campaign_audience', c, t, audience];
    yield ['postroad_campaign_imbalance', c, t, 0];
    yield ['postroad_campaign_info', `${c},from_domain="news.example.com",state="running"`, t, 1];
    yield ['postroad_queue_oldest_age_seconds', c, t, slow ? (second - 9000) / 4 : 0];
    yield* seeds(t, second, c);
    for (const [provider, x] of Object.entries(PROVIDERS)) {
      add(`u|${provider}`, share < 1 ? 0.02 * x : 0); yield ['postroad_unsubscribes_total', `${c},provider="${provider}"`, t, counts[`u|${provider}`]];
      const fetched = second > 2700 ? audience * x * STEP / (4.6 * 3600) : 0;
      for (const [kind, n] of Object.entries(OPENS[provider])) {
        add(`o|${provider}${kind}`, share < 1 ? fetched * n * (provider === 'google' && second > 10800 ? 0.3 : 1) : 0);
        const k = `${c},provider="${provider}",kind="${kind}"`;
        yield ['postroad_opens_total', k, t, Math.round(counts[`o|${provider}${kind}`])]; yield ['postroad_campaign_opens', k, t, Math.round(counts[`o|${provider}${kind}`])];
      }
      for (const [le, q] of [['1', 0.1], ['15', 0.5], ['60', 0.7], ['300', 0.85], ['900', 0.97], ['3600', 1], ['+Inf', 1]]) { add(`y|${provider}${le}`, x * q); yield ['postroad_delivery_delay_seconds_bucket', `provider="${provider}",le="${le}"`, t, counts[`y|${provider}${le}`]]; }
    }
    for (const [route, cls, n] of [['unsubscribe', '2xx', 0.2], ['view', '2xx', 0.5], ['metrics', '2xx', 2], ['health', '2xx', 3], ['other', '4xx', 0.1]]) { add(`h|${route}`, n * next() * 2); yield ['postroad_http_requests_total', `route="${route}",class="${cls}"`, t, counts[`h|${route}`]]; }
    yield ['up', '', t, 1]; yield ['postroad_nodes_alive', '', t, 1]; yield ['postroad_snapshot_success', '', t, 1];
    yield ['postroad_snapshot_duration_seconds', '', t, 0.004 + 0.003 * next()]; yield ['postroad_build_info', 'version="0.1.0"', t, 1];
    if (second > 12600) yield ['postroad_brake_active', 'relay="ses-1",provider="google",by="placement",reason="spam_content"', t, 1];
    for (const [check, ok] of [['spf', 1], ['dkim', 1], ['dmarc', 1], ['mx', 1], ['ptr', 0]]) yield ['postroad_preflight_check', `domain="news.example.com",check="${check}"`, t, ok];
  }
}

/** Seeds: twelve mailboxes, a copy through each relay. */
function* seeds(t, second, c) {
  const cells = [], sum = {};
  for (const [relay, ] of Object.entries(RELAYS)) for (const [provider, boxes] of Object.entries(SEEDS)) {
    let found = { not_sent: 0, pending: 0, inbox: 0, promotions: 0, spam: 0, other: 0, missing: 0, unknown: 0 };
    for (let n = 0; n < boxes; n++) {
      const sentAt = 900 + n * 2400 + (provider.length * 97) % 600;
      if (second < sentAt) found.not_sent++;
      else if (second < sentAt + 120 + n * 40) found.pending++;
      else if (provider === 'google' && relay === 'ses-1' && sentAt > 7200) found.spam++;
      else if (provider === 'microsoft' && relay === 'gmail-minh' && n === 3) found.spam++;
      else if (provider === 'yahoo' && n === 1 && relay === 'gmail-anna') found.unknown++;
      else if (provider === 'google' && n % 3 === 0) found.promotions++;
      else found.inbox++;
    }
    cells.push([relay, provider, found]);
    for (const [placement, n] of Object.entries(found)) yield ['postroad_seed_placements', `${c},relay="${relay}",provider="${provider}",placement="${placement}"`, t, n];
    for (const key of [`relay="${relay}",provider="${provider}"`, `relay="${relay}",provider="all"`, `relay="all",provider="${provider}"`, 'relay="all",provider="all"']) {
      const [k, n] = sum[key] ?? [0, 0];
      const good = found.inbox + found.promotions;
      sum[key] = [k + good, n + good + found.spam + found.missing];
    }
  }
  for (const [key, [k, n]] of Object.entries(sum)) {
    if (n > 0) {
      const [p, low, high] = wilson(k, n);
      for (const [name, v] of [['ratio', p], ['ratio_lower', low], ['ratio_upper', high], ['samples', n]]) yield [`postroad_inbox_${name}`, `${c},${key}`, t, v];
    }
    const [p, low, high] = wilson(k + 52, n + 60);
    for (const [name, v] of [['ratio', p], ['ratio_lower', low], ['ratio_upper', high], ['samples', n + 60]]) yield [`postroad_inbox_pooled_${name}`, key, t, v];
  }
  yield ['postroad_inbox_target_ratio', c, t, 0.8];
  yield ['postroad_seed_uncovered', `${c},relay="gmail-anna",provider="apple"`, t, 1];
  for (const provider of Object.keys(SEEDS)) {
    yield ['postroad_seed_check_age_seconds', `provider="${provider}"`, t, 30 + (second + provider.length * 70) % 300];
    yield ['postroad_seed_logins_failed_total', `provider="${provider}"`, t, provider === 'yahoo' ? Math.floor(second / 3600) : 0];
    for (const [method, result, n] of [['spf', 'pass', 9], ['dkim', 'pass', 9], ['dmarc', provider === 'microsoft' ? 'fail' : 'pass', 2]]) yield ['postroad_seed_authentication', `${c},provider="${provider}",method="${method}",result="${result}"`, t, n];
    for (const [le, q] of [['5', 0.2], ['15', 0.5], ['60', 0.8], ['300', 1], ['+Inf', 1]]) yield ['postroad_seed_arrival_seconds_bucket', `provider="${provider}",le="${le}"`, t, Math.floor(second / 300) * q];
  }
}

/** Starts a Prometheus that knows the sample; gives its address, the time of the last sample and a way to stop it. */
export async function sample(folder) {
  const now = Math.floor(Date.now() / 1000 / STEP) * STEP;
  const families = new Map();
  for (const [name, labels, t, value] of samples(now - HOURS * 3600)) {
    const family = families.get(name) ?? [];
    const all = [labels, 'instance="node-1:8726",job="postroad"'].filter(Boolean).join(',');
    family.push(`${name}{${all}} ${value} ${t}`);
    families.set(name, family);
  }
  const text = [...families].map(([name, lines]) => `# TYPE ${name} unknown\n${lines.join('\n')}\n`).join('');
  writeFileSync(join(folder, 'sample.om'), `${text}# EOF\n`);
  execFileSync('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', join(folder, 'sample.om'), join(folder, 'data')], { stdio: 'pipe' });
  writeFileSync(join(folder, 'prometheus.yml'), 'scrape_configs: []\n');
  const address = `127.0.0.1:${20000 + process.pid % 10000}`;
  const child = spawn('prometheus', [`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=${address}`, '--log.level=error'], { stdio: 'ignore' });
  const base = `http://${address}`;
  for (let tries = 0; ; tries++) {
    const ready = await fetch(`${base}/-/ready`).then((r) => r.ok, () => false);
    if (ready) break;
    if (tries > 200 || child.exitCode !== null) throw new Error('Prometheus did not start');
    await new Promise((done) => setTimeout(done, 100));
  }
  return { base, now: now * 1000, hours: HOURS, stop: () => child.kill('SIGKILL') };
}
