//! The TypeScript face of the table: what packages/sys/src/ops.gen.ts is written from.

use crate::table::camel;

const HEAD: &str = "// GENERATED from crates/sys by `make generate`: do not edit.
// Conventions: a descriptor is its number and close-on-exec; bytes are Uint8Array; times are milliseconds; every op
// throws SysError. Ops that return a promise wait on epoll, never on a thread. What concerns the whole process (own) is
// refused with ENOTSUP in a host program (Node.js).
";

fn comment(indent: &str, docs: &[&str]) -> String {
    match docs {
        [] => String::new(),
        [one] => format!("{indent}/**{one} */\n"),
        many => {
            let lines: String = many
                .iter()
                .map(|line| format!("{indent} *{line}\n"))
                .collect();
            format!("{indent}/**\n{lines}{indent} */\n")
        }
    }
}

pub(crate) fn method(
    name: &str,
    kind: &str,
    docs: &[&str],
    args: &[String],
    result: &str,
) -> String {
    let mut docs = docs.to_vec();
    if kind == "own" {
        docs.push(" Own: refused in a host program.");
    }
    let result = if kind == "later" {
        format!("Promise<{result}>")
    } else {
        result.to_owned()
    };
    // Trailing optional arguments may be left out.
    let args: Vec<String> = args
        .iter()
        .map(|arg| {
            match arg
                .strip_suffix(" | undefined")
                .and_then(|arg| arg.split_once(": "))
            {
                Some((name, of)) => format!("{name}?: {of}"),
                None => arg.clone(),
            }
        })
        .collect();
    format!(
        "{}  {}({}): {result};\n",
        comment("  ", &docs),
        camel(name),
        args.join(", ")
    )
}

pub(crate) fn record(name: &str, docs: &[&str], fields: &[(&str, &[&str], String)]) -> String {
    let fields: String = fields
        .iter()
        .map(|(field, docs, of)| {
            let (mark, of) = of
                .strip_suffix(" | undefined")
                .map_or((":", &**of), |of| ("?:", of));
            format!("{}  {field}{mark} {of};\n", comment("  ", docs))
        })
        .collect();
    format!(
        "{}export type {name} = {{\n{fields}}};\n",
        comment("", docs)
    )
}

/// The whole file.
pub fn generate() -> String {
    let mut text = HEAD.to_owned();
    for (_, _, types) in crate::DOMAINS {
        for of in *types {
            text += "\n";
            text += &of();
        }
    }
    text += "\nexport interface Ops {";
    for (domain, ops, _) in crate::DOMAINS {
        text += &format!("\n  // {domain}\n");
        for op in *ops {
            text += &(op.declaration)();
        }
    }
    text + "}\n"
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_generated_file_is_up_to_date() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../packages/sys/src/ops.gen.ts"
        );
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            super::generate(),
            "run `make generate`"
        );
    }

    #[test]
    fn optional_arguments_may_be_left_out() {
        let args = [
            "pid: number".to_owned(),
            "limit: Rlimit | undefined".to_owned(),
        ];
        let text = super::method("set_limit", "later", &[" Sets it."], &args, "Rlimit");
        assert_eq!(
            text,
            "  /** Sets it. */\n  setLimit(pid: number, limit?: Rlimit): Promise<Rlimit>;\n"
        );
    }
}
