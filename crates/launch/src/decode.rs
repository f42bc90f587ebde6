//! Reads a plan from its JSON. Every field must be known and of its type: the two programs are of one build.

use crate::json::{self, Json};
use crate::plan::*;
use crate::scheduling::Scheduler;

/// The error says where in the plan, and what is wrong.
type Decoded<T> = Result<T, String>;

pub fn plan(text: &[u8]) -> Decoded<Plan> {
    let text = std::str::from_utf8(text).map_err(|_| "not UTF-8")?;
    let Json::Object(fields) = json::read(text)? else {
        return Err("not an object".into());
    };
    let mut fields = Fields(fields);
    let plan = Plan {
        sealed: fields.get("sealed")?,
        parent: steps(&mut fields, "parent")?,
        stage: steps(&mut fields, "stage")?,
        init: steps(&mut fields, "init")?,
    };
    fields.end().map(|()| plan)
}

fn steps(fields: &mut Fields, list: &str) -> Decoded<Vec<Step>> {
    let Some(Json::List(items)) = fields.take(list) else {
        return Err(format!("{list}: not a list"));
    };
    let decoded = items.into_iter().enumerate();
    decoded
        .map(|(index, item)| step(item).map_err(|why| format!("{list} step {}: {why}", index + 1)))
        .collect()
}

fn step(json: Json) -> Decoded<Step> {
    let Json::Object(fields) = json else {
        return Err("not an object".into());
    };
    let mut fields = Fields(fields);
    let name: String = fields.get("op")?;
    let step = Step {
        ignore: fields.maybe("ignore")?.unwrap_or_default(),
        operation: operation(&name, &mut fields)?,
        name,
    };
    fields.end().map(|()| step)
}

fn operation(name: &str, fields: &mut Fields) -> Decoded<Operation> {
    Ok(match name {
        "open" => Operation::Open {
            path: fields.get("path")?,
            flags: fields.get("flags")?,
            name: fields.get("as")?,
            root: fields.maybe("root")?,
            on: fields.maybe("on")?,
        },
        "close" => Operation::Close {
            fd: fields.get("fd")?,
        },
        "close_others" => Operation::CloseOthers {
            keep: fields.get("keep")?,
            pass: fields.get("pass")?,
        },
        "dumpable" => Operation::Dumpable {
            on: fields.get("on")?,
        },
        "pass_fds" => Operation::PassFds {
            fds: fields.get("fds")?,
        },
        "write" => Operation::Write {
            path: fields.get("path")?,
            text: fields.get("text")?,
            proc: fields.maybe("proc")?.unwrap_or_default(),
            or: fields.maybe("or")?,
        },
        "mkdir" => Operation::Mkdir {
            path: fields.get("path")?,
            mode: fields.get("mode")?,
            root: fields.maybe("root")?,
        },
        "symlink" => Operation::Symlink {
            path: fields.get("path")?,
            to: fields.get("to")?,
            root: fields.maybe("root")?,
        },
        "mknod" => Operation::Mknod {
            path: fields.get("path")?,
            mode: fields.get("mode")?,
            major: fields.get("major")?,
            minor: fields.get("minor")?,
            uid: fields.get("uid")?,
            gid: fields.get("gid")?,
            root: fields.maybe("root")?,
        },
        "setns" => Operation::Setns {
            fd: fields.get("fd")?,
            r#type: fields.get("type")?,
        },
        "unshare" => Operation::Unshare {
            flags: fields.get("flags")?,
        },
        "sync" => Operation::Sync {
            name: fields.get("name")?,
            side: fields.get("side")?,
        },
        "id_map" => Operation::IdMap {
            uid: fields.get("uid")?,
            gid: fields.get("gid")?,
            deny_setgroups: fields.get("denySetgroups")?,
        },
        "hostname" => Operation::Hostname {
            name: fields.get("name")?,
        },
        "domainname" => Operation::Domainname {
            name: fields.get("name")?,
        },
        "loopback_up" => Operation::LoopbackUp,
        "inherit_cpuset" => Operation::InheritCpuset {
            base: fields.get("base")?,
            path: fields.get("path")?,
        },
        "device_filter" => Operation::DeviceFilter {
            cgroup: fields.get("cgroup")?,
            program: fields.get("program")?,
        },
        "propagation" => Operation::Propagation {
            path: fields.get("path")?,
            flags: fields.get("flags")?,
        },
        "private_parent" => Operation::PrivateParent {
            path: fields.get("path")?,
        },
        "mount" => Operation::Mount(Mount::decode(fields)?),
        "open_tree" => Operation::OpenTree(OpenTree {
            source: fields.get("source")?,
            recursive: fields.get("recursive")?,
            map: fields.get("map")?,
            map_recursive: fields.get("mapRecursive")?,
            name: fields.get("as")?,
        }),
        "fsmount" => Operation::Fsmount(Fsmount {
            fstype: fields.get("fstype")?,
            source: fields.get("source")?,
            options: fields.get("options")?,
            attributes: fields.get("attributes")?,
            in_child: fields.maybe("inChild")?.unwrap_or_default(),
            name: fields.get("as")?,
        }),
        "bind" => Operation::Bind(Bind::decode(fields)?),
        "mask" => Operation::Mask {
            path: fields.get("path")?,
            root: fields.get("root")?,
        },
        "remount" => Operation::Remount {
            path: fields.get("path")?,
            set: fields.get("set")?,
            clear: fields.get("clear")?,
        },
        "pivot_root" => Operation::PivotRoot {
            root: fields.get("root")?,
        },
        "move_root" => Operation::MoveRoot {
            root: fields.get("root")?,
        },
        "chroot" => Operation::Chroot {
            root: fields.get("root")?,
        },
        "console" => Operation::Console(Console::decode(fields)?),
        "controlling_terminal" => Operation::ControllingTerminal,
        "setsid" => Operation::Setsid,
        "session_keyring" => Operation::SessionKeyring {
            name: fields.get("name")?,
        },
        "rlimit" => Operation::Rlimit {
            resource: fields.get("resource")?,
            soft: fields.get("soft")?,
            hard: fields.get("hard")?,
        },
        "raise_rlimit" => Operation::RaiseRlimit {
            resource: fields.get("resource")?,
            hard: fields.get("hard")?,
        },
        "umask" => Operation::Umask {
            mask: fields.get("mask")?,
        },
        "chown_stdio" => Operation::ChownStdio {
            uid: fields.get("uid")?,
        },
        "user" => Operation::User {
            uid: fields.get("uid")?,
            gid: fields.get("gid")?,
            groups: fields.maybe("groups")?,
            keep_capabilities: fields.get("keepCapabilities")?,
        },
        "bounding" => Operation::Bounding {
            keep: fields.get("keep")?,
        },
        "capabilities" => Operation::Capabilities {
            effective: fields.get("effective")?,
            permitted: fields.get("permitted")?,
            inheritable: fields.get("inheritable")?,
            ambient: fields.get("ambient")?,
        },
        "no_new_privileges" => Operation::NoNewPrivileges,
        "seccomp" => Operation::Seccomp {
            flags: fields.get("flags")?,
            program: fields.get("program")?,
            listener: fields.maybe("listener")?.unwrap_or_default(),
        },
        "personality" => Operation::Personality {
            persona: fields.get("persona")?,
        },
        "scheduler" => Operation::Scheduler(Scheduler {
            policy: fields.get("policy")?,
            flags: fields.get("flags")?,
            nice: fields.get("nice")?,
            priority: fields.get("priority")?,
            runtime: fields.get("runtime")?,
            deadline: fields.get("deadline")?,
            period: fields.get("period")?,
        }),
        "io_priority" => Operation::IoPriority {
            class: fields.get("class")?,
            priority: fields.get("priority")?,
        },
        "affinity" => Operation::Affinity {
            cpus: fields.get("cpus")?,
        },
        "parent_death_signal" => Operation::ParentDeathSignal {
            signal: fields.get("signal")?,
            parent: fields.get("parent")?,
        },
        "chdir" => Operation::Chdir {
            path: fields.get("path")?,
            if_not_yet: fields.maybe("ifNotYet")?.unwrap_or_default(),
        },
        "home" => Operation::Home {
            uid: fields.get("uid")?,
        },
        "find_executable" => Operation::FindExecutable {
            file: fields.get("file")?,
            path: fields.get("path")?,
        },
        "ask" => Operation::Ask {
            what: fields.get("what")?,
        },
        "report_to" => Operation::ReportTo {
            fd: fields.get("fd")?,
        },
        "hook" => Operation::Hook(Hook::decode(fields)?),
        "ready" => Operation::Ready,
        "wait" => Operation::Wait {
            fd: fields.get("fd")?,
        },
        "exec" => Operation::Exec {
            argv: fields.get("argv")?,
            env: fields.get("env")?,
            program: fields.get("program")?,
        },
        _ => return Err(format!("unknown operation {name}")),
    })
}

impl Target {
    fn decode(fields: &mut Fields) -> Decoded<Self> {
        Ok(Target {
            root: fields.maybe("root")?,
            target: fields.get("target")?,
            create: fields.maybe("create")?,
            no_symlinks: fields.maybe("noSymlinks")?.unwrap_or_default(),
            not_on: fields.maybe("notOn")?,
        })
    }
}

impl Mount {
    fn decode(fields: &mut Fields) -> Decoded<Self> {
        Ok(Mount {
            fstype: fields.get("fstype")?,
            source: fields.get("source")?,
            flags: fields.get("flags")?,
            data: fields.get("data")?,
            copy_up: fields.maybe("copyUp")?.unwrap_or_default(),
            keep_mode: fields.maybe("keepMode")?.unwrap_or_default(),
            propagation: fields.maybe("propagation")?,
            target: Target::decode(fields)?,
        })
    }
}

impl Bind {
    fn decode(fields: &mut Fields) -> Decoded<Self> {
        Ok(Bind {
            source: fields.maybe("source")?,
            source_root: fields.maybe("sourceRoot")?,
            tree: fields.maybe("tree")?,
            source_on: fields.maybe("sourceOn")?,
            recursive: fields.get("recursive")?,
            set: fields.get("set")?,
            clear: fields.get("clear")?,
            set_recursive: fields.get("setRecursive")?,
            clear_recursive: fields.maybe("clearRecursive")?.unwrap_or_default(),
            propagation: fields.maybe("propagation")?,
            name: fields.maybe("as")?,
            target: Target::decode(fields)?,
        })
    }
}

impl Hook {
    fn decode(fields: &mut Fields) -> Decoded<Self> {
        Ok(Hook {
            path: fields.get("path")?,
            name: fields.get("name")?,
            argv: fields.get("argv")?,
            env: fields.get("env")?,
            state: fields.get("state")?,
            seconds: fields.get("seconds")?,
        })
    }
}

impl Console {
    fn decode(fields: &mut Fields) -> Decoded<Self> {
        Ok(Console {
            root: fields.get("root")?,
            bind_console: fields.get("bindConsole")?,
            uid: fields.get("uid")?,
            gid: fields.maybe("gid")?,
            rows: fields.maybe("rows")?,
            columns: fields.maybe("columns")?,
        })
    }
}

/// What is left of an object; those that are read are taken out.
struct Fields<'a>(Vec<(&'a str, Json<'a>)>);

impl<'a> Fields<'a> {
    fn take(&mut self, key: &str) -> Option<Json<'a>> {
        let index = self.0.iter().position(|(name, _)| *name == key)?;
        Some(self.0.swap_remove(index).1)
    }

    fn maybe<T: FromJson>(&mut self, key: &str) -> Decoded<Option<T>> {
        let Some(json) = self.take(key) else {
            return Ok(None);
        };
        T::from_json(json)
            .map(Some)
            .ok_or_else(|| format!("{key}: not of its type"))
    }

    fn get<T: FromJson>(&mut self, key: &str) -> Decoded<T> {
        self.maybe(key)?.ok_or_else(|| format!("{key} is missing"))
    }

    fn end(&self) -> Decoded<()> {
        match self.0.first() {
            Some((key, _)) => Err(format!("{key} is unknown")),
            None => Ok(()),
        }
    }
}

/// The type of a field.
trait FromJson: Sized {
    fn from_json(json: Json) -> Option<Self>;
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl FromJson for $type {
            fn from_json(json: Json) -> Option<Self> {
                match json {
                    Json::Number(number) => number.try_into().ok(),
                    _ => None,
                }
            }
        }
    )*};
}

numbers!(i32, i64, u16, u32, u64);

impl FromJson for bool {
    fn from_json(json: Json) -> Option<Self> {
        match json {
            Json::Bool(flag) => Some(flag),
            _ => None,
        }
    }
}

impl FromJson for String {
    fn from_json(json: Json) -> Option<Self> {
        match json {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(json: Json) -> Option<Self> {
        match json {
            Json::List(items) => items.into_iter().map(T::from_json).collect(),
            _ => None,
        }
    }
}

impl FromJson for FdRef {
    fn from_json(json: Json) -> Option<Self> {
        match json {
            Json::Text(name) => Some(FdRef::Name(name)),
            number => i32::from_json(number).map(FdRef::Number),
        }
    }
}

impl FromJson for IdMap {
    fn from_json(json: Json) -> Option<Self> {
        let fields = match json {
            Json::Text(path) => return Some(IdMap::Namespace(path)),
            Json::Object(fields) => fields,
            _ => return None,
        };
        let mut fields = Fields(fields);
        let map = IdMap::Ids {
            uid: fields.get("uid").ok()?,
            gid: fields.get("gid").ok()?,
        };
        fields.end().ok().map(|()| map)
    }
}

impl FromJson for Instead {
    fn from_json(json: Json) -> Option<Self> {
        let Json::Object(fields) = json else {
            return None;
        };
        let mut fields = Fields(fields);
        let instead = Instead {
            path: fields.get("path").ok()?,
            text: fields.get("text").ok()?,
        };
        fields.end().ok().map(|()| instead)
    }
}

impl FromJson for Create {
    fn from_json(json: Json) -> Option<Self> {
        match String::from_json(json)?.as_str() {
            "directory" => Some(Create::Directory),
            "file" => Some(Create::File),
            "like-source" => Some(Create::LikeSource),
            _ => None,
        }
    }
}

impl FromJson for Side {
    fn from_json(json: Json) -> Option<Self> {
        match String::from_json(json)?.as_str() {
            "send" => Some(Side::Send),
            "wait" => Some(Side::Wait),
            _ => None,
        }
    }
}

impl FromJson for Program {
    fn from_json(json: Json) -> Option<Self> {
        let fields = match json {
            Json::Text(text) => return (text == "found").then_some(Program::Found),
            Json::Object(fields) => fields,
            _ => return None,
        };
        let [(key, value)] = <[_; 1]>::try_from(fields).ok()?;
        match key {
            "path" => String::from_json(value).map(|path| Program::Path { path }),
            "fd" => FdRef::from_json(value).map(|fd| Program::Fd { fd }),
            _ => None,
        }
    }
}
