// What a Node.js program sees. This file is the library's type declarations (build/node/index.d.mts), so it imports nothing.

/**
 * Makes a sandbox, a virtual machine, with its first container, which waits to be started.
 * @throws KataError; nothing is left behind then
 */
export declare function createSandbox(options: SandboxOptions): Promise<Sandbox>;

/**
 * Finds a sandbox that is on disk, whoever made it: this library or `kata-runtime --root DIRECTORY`.
 * @throws KataError with code "NotFound"
 */
export declare function openSandbox(id: string, options: { readonly store: string }): Promise<Sandbox>;

/** The library's error. Its message is one line: what failed, on what, why, what to do. */
export declare class KataError extends Error {
  /** gRPC's name of the kind: "InvalidArgument", "NotFound", "FailedPrecondition", "DeadlineExceeded" … */
  readonly code: string;
}

/** "ignore": /dev/null. "pipe": a stream of the object's. "inherit": this program's own. A number: a descriptor of this program, which keeps it. */
export type Stdio = "ignore" | "pipe" | "inherit" | number;

export interface StdioOptions {
  /** All are "ignore" unless said otherwise. */
  readonly stdin?: Stdio;
  readonly stdout?: Stdio;
  readonly stderr?: Stdio;
}

/** A container: an OCI bundle, or a root file system and a command. */
export interface ContainerOptions extends StdioOptions {
  /** Letters, digits, and _ + - . A random one unless given. */
  readonly id?: string;
  /** Directory of an OCI bundle with its config.json. */
  readonly bundle?: string;
  /** Without a bundle: directory of the root file system, which the container may write to. */
  readonly rootfs?: string;
  /** Without a bundle: the command and its arguments. */
  readonly args?: readonly string[];
  /** Without a bundle: "NAME=value". PATH is set unless given. */
  readonly env?: readonly string[];
  /** Without a bundle: the command's directory, "/" unless given. */
  readonly cwd?: string;
  /** Without a bundle. */
  readonly hostname?: string;
}

export interface SandboxOptions extends ContainerOptions {
  /**
   * Where the sandbox's record is kept. "memory", the default: nowhere but in this program, with which the sandbox ends,
   * however it ends. A directory: there, and the sandbox goes on when the program has ended; `kata-runtime --root
   * DIRECTORY` knows it too.
   */
  readonly store?: string;
  /** Path of the configuration instead of the default ones. */
  readonly config?: string;
  /** The sandbox's daemon says what it does: on standard error, or with a store on disk in the state directory. */
  readonly debug?: boolean;
}

/** What runs in a sandbox. */
export interface Container {
  readonly id: string;
  /** Input, when `stdin` is "pipe". @throws KataError when it is not */
  readonly stdin: InputStream;
  /** @throws KataError when `stdout` is not "pipe" */
  readonly stdout: OutputStream;
  /** @throws KataError when `stderr` is not "pipe" */
  readonly stderr: OutputStream;
  /** Lets the container's command run. */
  start(): Promise<void>;
  /** Starts another command in the running container. It ends when this program does. */
  exec(args: readonly string[], options?: ExecOptions): Promise<Process>;
  status(): Promise<"creating" | "created" | "running" | "paused" | "stopped">;
  /** Resolves with the exit status when the command has ended: 128 + N after signal N. */
  wait(): Promise<number>;
  /** @param signal "SIGTERM", "TERM", 15 @throws KataError with code "FailedPrecondition" when it has stopped */
  kill(signal: string | number): Promise<void>;
  /** Ends the command: SIGTERM, and SIGKILL when it is still there after `timeoutMs`, 10 s unless given. */
  stop(options?: { readonly timeoutMs?: number }): Promise<void>;
  /** Removes the container, also a running one. */
  delete(): Promise<void>;
}

/** A sandbox with its first container; when that stops, the virtual machine does. */
export interface Sandbox extends Container, AsyncDisposable {
  /** Makes one more container in the virtual machine. */
  createContainer(options: ContainerOptions): Promise<Container>;
  /** Removes the sandbox, also a running one, with all its containers. Nothing of it is left on the host. */
  delete(): Promise<void>;
  /** Lets go of it: one in memory is deleted, one on disk goes on without this program's commands and streams. */
  close(): Promise<void>;
}

export interface ExecOptions extends StdioOptions {
  /** "NAME=value", added to those of the container's own command. */
  readonly env?: readonly string[];
  readonly cwd?: string;
  readonly user?: { readonly uid: number; readonly gid?: number };
}

/** A command that runs beside the container's own. */
export interface Process {
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  wait(): Promise<number>;
  kill(signal: string | number): Promise<void>;
}

/** What goes into a command. */
export interface InputStream {
  /** Resolves when the pipe has taken all of it. */
  write(data: string | Uint8Array): Promise<void>;
  /** The command reads the end. */
  end(): void;
}

/** What comes out of a command. Whoever stops reading stops the command when the pipe is full. */
export interface OutputStream extends AsyncIterable<Uint8Array> {
  /** All of it as text. @param maxBytes 16 MiB unless given @throws KataError with code "ResourceExhausted" past it */
  text(maxBytes?: number): Promise<string>;
}
