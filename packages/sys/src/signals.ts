/** Signal numbers by name, signal(7): x86_64 and arm64. */
export const SIG = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGSTKFLT: 16,
  SIGCHLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPWR: 30,
  SIGSYS: 31,
} as const;

/** The C library keeps 32 and 33 for itself; 34 is the first real-time signal a program may use. */
const SIGRTMIN = 34;
const SIGRTMAX = 64;

/** "SIGTERM" for 15, "SIGRTMIN+1" for 35, "signal 99" for what is none. */
export function signalName(number: number): string {
  for (const [name, value] of Object.entries(SIG)) if (value === number) return name;
  if (number === SIGRTMIN) return "SIGRTMIN";
  if (number > SIGRTMIN && number <= SIGRTMAX) return `SIGRTMIN+${number - SIGRTMIN}`;
  return `signal ${number}`;
}

/** Number of "SIGTERM", "term", "15", "SIGRTMIN+3" or "SIGRTMAX-1"; undefined for what is none (0 included). */
export function signalNumber(text: string): number | undefined {
  if (/^[0-9]+$/.test(text)) {
    const number = Number(text);
    return number >= 1 && number <= SIGRTMAX ? number : undefined;
  }
  const name = text.toUpperCase().replace(/^(?!SIG)/, "SIG");
  for (const [known, number] of Object.entries(SIG)) if (known === name) return number;
  const match = /^SIGRT(MIN|MAX)(?:([+-])([0-9]{1,2}))?$/.exec(name);
  if (match === null) return undefined;
  const base = match[1] === "MIN" ? SIGRTMIN : SIGRTMAX;
  const number = base + (match[2] === "-" ? -1 : 1) * Number(match[3] ?? 0);
  return number >= SIGRTMIN && number <= SIGRTMAX ? number : undefined;
}
