// The tests of the native ops: they run on the product's own engine. `node scripts/bundle.mjs --test`, then, as root,
// build/test/engine-tests [part of a test's name].
import { runMain } from "../index.ts";
import "./engine.ts";
import "./fs.ts";
import "./block.ts";
import "./stream.ts";
import "./socket.ts";
import "./process.ts";
import "./spawn.ts";
import "./mount.ts";
import "./netlink.ts";
import "./inet.ts";
import "./bpf.ts";
import "./terminal.ts";
import "./kvm.ts";
import "./table.ts"; // the last: about all before it
import { runAll } from "./harness.ts";

runMain(runAll);
