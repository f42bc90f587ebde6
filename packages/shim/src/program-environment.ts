/** The environment of our own programs: nothing of the caller's. */
export const PROGRAM_ENVIRONMENT = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
