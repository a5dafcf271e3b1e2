import { z } from 'zod';

/** Prometheus' text format, which every scraper reads, those of OpenMetrics included. */
export const METRICS_MEDIA_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export const metricsText = z.string().describe('one line a series; docs/metrics.md lists the families');
