/**
 * Under CI, property tests draw the same cases each time, so that a change is judged by itself and not by
 * chance. Anywhere else every run draws new ones, and a failure names its seed.
 */
import fc from 'fast-check';

const CI_SEED = 20_261_121;

if (process.env['CI'] === 'true') fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: CI_SEED });
