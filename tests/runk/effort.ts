/** RUNK_TEST_EFFORT=small: a host whose software is emulated, where a container takes a second. */
const isSmall = process.env.RUNK_TEST_EFFORT === "small";

/** How often a race is tried. With as many as are usual, runc 1.1.5 has lost that of CVE-2024-45310. */
export const TRIES = isSmall ? 3 : 25;

/** Each step of a plan is made to fail, or the first of each kind. */
export const EACH_STEP = !isSmall;

export const MOUNTS = isSmall ? 500 : 10_000;
