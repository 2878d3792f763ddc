//! Laws of docs/architecture.md that no compiler holds: layers, circles, purity, names, lengths.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A module, what it may name, and whether it is pure. Bottom up: a row names only rows above it.
struct Layer {
    name: &'static str,
    /// `None`: all that is above it in the table.
    names: Option<&'static [&'static str]>,
    pure: bool,
}

impl Layer {
    fn may_name(&self, module: &str) -> bool {
        match self.names {
            Some(names) => names.contains(&module),
            None => LAYERS
                .iter()
                .take_while(|layer| layer.name != self.name)
                .any(|layer| layer.name == module),
        }
    }
}

const fn pure(name: &'static str, names: &'static [&'static str]) -> Layer {
    Layer {
        name,
        names: Some(names),
        pure: true,
    }
}

const fn acts(name: &'static str, names: &'static [&'static str]) -> Layer {
    Layer {
        name,
        names: Some(names),
        pure: false,
    }
}

const fn joins(name: &'static str) -> Layer {
    Layer {
        name,
        names: None,
        pure: false,
    }
}

const LAYERS: &[Layer] = &[
    pure("model", &[]),
    pure("yaml", &["model"]),
    pure("expr", &["model"]),
    pure("ingest", &["model", "expr"]),
    pure("ical", &["model"]),
    pure("rules", &["model", "expr", "yaml", "ical"]),
    pure("config", &["model", "yaml"]),
    pure("wording", &["model"]),
    pure("meeting", &["model"]),
    pure("plot", &["model", "wording"]),
    pure("postmortem", &["model", "wording", "plot"]),
    pure("engine", &["model", "expr", "rules"]),
    pure("trial", &["model", "rules", "engine", "yaml"]),
    acts("clients", &["model", "yaml", "config", "ingest"]),
    acts("deliver", &["model"]),
    acts("store", &["model", "config"]),
    joins("app"),
    acts(
        "http",
        &[
            "model", "wording", "config", "ingest", "trial", "store", "app",
        ],
    ),
    joins("cli"),
];

/// Paths whose presence means a clock, a disk, an environment, a network, a thread or a process.
const IMPURE_PATHS: &[&str] = &[
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "tokio",
    "reqwest",
    "rusqlite",
    "axum",
];
/// Words that mean a lock, a wait or a print, wherever they stand.
const IMPURE_WORDS: &[&str] = &["Mutex", "RwLock", "async", "await", "thread_local"];
const PRINTS: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];

const LONGEST_FILE: usize = 800;
/// Words with which a doc comment asks a riddle instead of naming the thing.
const RIDDLES: &[&str] = &["What", "Whether", "Who", "Where", "How"];

#[test]
fn every_module_has_a_layer_above_those_it_names() {
    let lib = std::fs::read_to_string(source().join("lib.rs")).unwrap();
    for line in tokens(&lib).windows(2).filter(|pair| pair[0] == "mod") {
        assert!(
            layer(&line[1]).is_some(),
            "src/lib.rs has the module {}, the table in tests/it/layers.rs does not",
            line[1]
        );
    }
    for (place, layer) in LAYERS.iter().enumerate() {
        for name in layer.names.into_iter().flatten() {
            assert!(
                LAYERS[..place].iter().any(|below| below.name == *name),
                "{} may name {name}, which is not below it",
                layer.name
            );
        }
    }
}

#[test]
fn each_file_keeps_to_its_layer() {
    let sources = Sources::read();
    assert!(
        sources.files.len() > 100,
        "found only {}",
        sources.files.len()
    );
    let mut faults = String::new();
    for (path, text) in &sources.files {
        for fault in faults_of(path, text) {
            writeln!(faults, "src/{}: {fault}", path.display()).unwrap();
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

#[test]
fn no_file_names_its_facade_and_no_files_form_a_circle() {
    assert_eq!(circles(&Sources::read()), Vec::<String>::new());
}

#[test]
fn only_app_mod_implements_app() {
    let sources = Sources::read();
    let foreign = sources.files.iter().filter(|(path, text)| {
        let tokens = tokens(before_tests(text));
        let implements = tokens
            .windows(2)
            .any(|pair| pair[0] == "impl" && pair[1] == "App");
        implements && *path != Path::new("app/mod.rs")
    });
    let foreign: Vec<_> = foreign
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert_eq!(foreign, Vec::<String>::new());
}

#[test]
fn no_two_public_types_share_a_name() {
    let mut homes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in &Sources::read().files {
        for name in public_types(before_tests(text)) {
            homes
                .entry(name)
                .or_default()
                .push(path.display().to_string());
        }
    }
    homes.retain(|_, files| files.len() > 1);
    assert_eq!(homes, BTreeMap::new());
}

#[test]
fn every_file_is_part_of_the_build() {
    let sources = Sources::read();
    let mut left_out = Vec::new();
    for path in sources.files.keys() {
        let module = module_of(path);
        let Some((name, above)) = module.split_last().filter(|_| module != ["main"]) else {
            continue;
        };
        let folder: PathBuf = above.iter().collect();
        let homes = if above.is_empty() {
            vec![PathBuf::from("lib.rs")]
        } else {
            vec![folder.join("mod.rs"), folder.with_extension("rs")]
        };
        let declares = |home: &PathBuf| {
            let text = sources.files.get(home).map_or("", String::as_str);
            let tokens = tokens(text);
            tokens
                .windows(3)
                .any(|item| item[0] == "mod" && item[1] == *name && item[2] == ";")
        };
        if !homes.iter().any(declares) {
            left_out.push(path.display().to_string());
        }
    }
    assert_eq!(left_out, Vec::<String>::new(), "no module declares them");
}

#[test]
fn a_public_module_is_named_from_outside_the_crate() {
    let mut named: BTreeSet<String> = BTreeSet::new();
    for directory in ["tests", "benches", "fuzz/fuzz_targets"] {
        for file in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(directory)) {
            let text = std::fs::read_to_string(file).unwrap();
            named.extend(paths(&tokens(&text), &[]));
        }
    }
    named.insert("afterword::cli::main".to_owned());
    let mut hidden = Vec::new();
    for (path, text) in &Sources::read().files {
        let own = module_of(path);
        let tokens = tokens(before_tests(text));
        for item in tokens
            .windows(3)
            .filter(|item| item[0] == "pub" && item[1] == "mod")
        {
            let module = [&["afterword".to_owned()][..], &own, &[item[2].clone()]]
                .concat()
                .join("::");
            let inside = format!("{module}::");
            if !named
                .iter()
                .any(|path| *path == module || path.starts_with(&inside))
            {
                hidden.push(module);
            }
        }
    }
    assert_eq!(hidden, Vec::<String>::new(), "make them pub(crate)");
}

#[test]
fn doc_comments_open_with_a_name_for_the_thing() {
    let mut faults = Vec::new();
    for (path, text) in &Sources::read().files {
        let mut before = "";
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_start();
            let doc = |line: &str| {
                line.strip_prefix("///")
                    .or(line.strip_prefix("//!"))
                    .map(str::len)
            };
            if let Some(length) = doc(line).filter(|_| doc(before).is_none()) {
                let first = line[line.len() - length..]
                    .split_whitespace()
                    .next()
                    .unwrap_or_default();
                if RIDDLES.contains(&first) {
                    faults.push(format!("src/{}:{}: {line}", path.display(), number + 1));
                }
            }
            before = line;
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn the_laws_can_be_broken() {
    let check = |file: &str, text: &str, expected: &[&str]| {
        assert_eq!(faults_of(Path::new(file), text), expected, "{file}: {text}");
    };
    check(
        "engine/fold.rs",
        "use crate::model::event::Event;\nuse crate::{rules::CriterionTest, expr};",
        &[],
    );
    check(
        "engine/fold.rs",
        "use crate::{model, store::Store};",
        &["names store, which is not for engine"],
    );
    check(
        "engine/fold.rs",
        "fn f() { crate::app::now() }",
        &["names app, which is not for engine"],
    );
    check(
        "engine/fold.rs",
        "use super::super::http::Page;",
        &["names http, which is not for engine"],
    );
    check("engine/fold.rs", "use super::incident::Fold;", &[]);
    check(
        "engine/mod.rs",
        "mod tests { use super::super::cli; use super::Fold; }",
        &["names cli, which is not for engine"],
    );
    check(
        "engine/fold.rs",
        "use crate::*;",
        &["names the whole crate"],
    );
    check("main.rs", "fn main() { afterword::cli::main() }", &[]);
    check(
        "main.rs",
        "use afterword::store::database::Store;",
        &["names store, which is not for main"],
    );
    check(
        "engine/fold.rs",
        "// crate::store\n/* std::fs /* tokio */ */ const A: &str = \"// crate::store\"; const B: char = '\"';",
        &[],
    );
    check(
        "engine/fold.rs",
        "const A: &str = r#\"\"std::fs\"#; use std::{fs, io};",
        &["holds std::fs, and engine is pure"],
    );
    check(
        "postmortem/mod.rs",
        "use std::time::{Duration, SystemTime};",
        &["holds std::time::SystemTime, and postmortem is pure"],
    );
    check(
        "postmortem/mod.rs",
        "fn f() { let _ = chrono::Utc::now(); }",
        &["holds chrono::Utc::now, and postmortem is pure"],
    );
    check(
        "rules/mod.rs",
        "async fn f(x: &std::sync::Mutex<u8>) {}",
        &[
            "holds async, and rules is pure",
            "holds Mutex, and rules is pure",
        ],
    );
    check(
        "rules/mod.rs",
        "fn f() {}\n#[cfg(test)]\nmod tests { use std::fs; }",
        &[],
    );
    check(
        "store/mod.rs",
        "use tokio::sync::Mutex; fn f() { println!(\"x\") }",
        &["prints with println!, which only cli does"],
    );
    check("cli/mod.rs", "fn f() { println!(\"x\") }", &[]);
    let long = "\n".repeat(LONGEST_FILE + 1);
    check(
        "cli/mod.rs",
        &long,
        &["has 801 lines without its tests: two concepts in one?"],
    );
    check(
        "cli/mod.rs",
        &format!("{}#[cfg(test)]\n{long}", "\n".repeat(LONGEST_FILE)),
        &[],
    );

    let circles = |files: &[(&str, &str)]| {
        let files = files
            .iter()
            .map(|(path, text)| (PathBuf::from(path), (*text).to_owned()));
        circles(&Sources {
            files: files.collect(),
        })
    };
    let facade = (
        "a/mod.rs",
        "mod b; mod c; use b::B; fn f() { c::g() } pub struct A;",
    );
    assert_eq!(
        circles(&[facade, ("a/b.rs", "use super::c;"), ("a/c.rs", "")]),
        Vec::<String>::new()
    );
    assert_eq!(
        circles(&[facade, ("a/b.rs", "use super::A;"), ("a/c.rs", "")]),
        ["a::b names its facade a"]
    );
    assert_eq!(
        circles(&[
            facade,
            ("a/b.rs", "use super::c;"),
            ("a/c.rs", "use crate::a::b::B;")
        ]),
        ["a circle: a::b a::c"]
    );
    assert_eq!(
        public_types("pub struct A; pub(crate) enum B {} struct C; pub fn d() {} pub type E = A;"),
        ["A", "B", "E"]
    );
}

/// The source files of the crate by their path within `src`, tests apart.
struct Sources {
    files: BTreeMap<PathBuf, String>,
}

impl Sources {
    fn read() -> Self {
        let read = |file: PathBuf| {
            let text = std::fs::read_to_string(&file).unwrap();
            (file.strip_prefix(source()).unwrap().to_owned(), text)
        };
        Self {
            files: files(&source()).into_iter().map(read).collect(),
        }
    }
}

/// The path of the module that a file is, without the crate.
fn module_of(file: &Path) -> Vec<String> {
    let parts = file.with_extension("");
    let parts = parts.iter().map(|part| part.to_string_lossy().into_owned());
    parts
        .filter(|part| part != "mod" && part != "lib")
        .collect()
}

/// Files that name the `mod.rs` above them, and sets of files that name each other in a circle. A
/// `mod.rs` may name the files below it.
fn circles(sources: &Sources) -> Vec<String> {
    let is_test = |module: &[String]| module.iter().any(|part| part == "tests");
    let modules: BTreeSet<Vec<String>> = sources
        .files
        .keys()
        .map(|path| module_of(path))
        .filter(|module| !is_test(module))
        .collect();
    let mut faults = Vec::new();
    let mut edges: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    for (path, text) in &sources.files {
        let own = module_of(path);
        if is_test(&own) || own == ["main"] || own.is_empty() {
            continue;
        }
        for named in paths(&tokens(before_tests(text)), &own) {
            let mut target: Vec<String> = named.split("::").map(str::to_owned).collect();
            if target.first().is_none_or(|root| root != "crate") {
                continue;
            }
            target.remove(0);
            while !target.is_empty() && !modules.contains(&target) {
                target.pop();
            }
            if target.is_empty() || target == own || target.starts_with(&own) {
                continue;
            }
            if own.starts_with(&target) {
                faults.push(format!(
                    "{} names its facade {}",
                    own.join("::"),
                    target.join("::")
                ));
            } else {
                edges.entry(own.clone()).or_default().insert(target);
            }
        }
    }
    faults.sort();
    faults.dedup();
    // What each file reaches; a circle is a set of files that all reach each other.
    let reach = |from: &Vec<String>| {
        let mut found = BTreeSet::new();
        let mut next: Vec<&Vec<String>> = edges.get(from).into_iter().flatten().collect();
        while let Some(module) = next.pop() {
            if found.insert(module.clone()) {
                next.extend(edges.get(module).into_iter().flatten());
            }
        }
        found
    };
    let reached: BTreeMap<&Vec<String>, BTreeSet<Vec<String>>> =
        edges.keys().map(|module| (module, reach(module))).collect();
    let mut named = BTreeSet::new();
    for (module, all) in reached
        .iter()
        .filter(|(module, all)| all.contains(**module))
    {
        let back = |other: &&Vec<String>| {
            reached
                .get(other)
                .is_some_and(|back| back.contains(*module))
        };
        let circle: Vec<String> = all
            .iter()
            .filter(back)
            .map(|module| module.join("::"))
            .collect();
        if named.insert(circle.clone()) {
            faults.push(format!("a circle: {}", circle.join(" ")));
        }
    }
    faults
}

/// The names of the types that a file offers to others.
fn public_types(text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    for (at, _) in tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| *token == "pub")
    {
        let restricted = tokens.get(at + 1).is_some_and(|token| token == "(");
        let kind = if restricted { at + 4 } else { at + 1 };
        if let Some([kind, name]) = tokens.get(kind..kind + 2)
            && ["struct", "enum", "trait", "type", "union"].contains(&kind.as_str())
        {
            found.push(name.clone());
        }
    }
    found
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn layer(name: &str) -> Option<&'static Layer> {
    LAYERS.iter().find(|layer| layer.name == name)
}

/// What a file of `src` (its path within) does that its layer may not.
fn faults_of(file: &Path, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let own = module_of(file);
    let home = own.first().map_or("lib", String::as_str);
    let own_layer = layer(home);
    if own_layer.is_none() && !matches!(home, "lib" | "main") {
        return vec![format!(
            "is in no layer: {home} is not in the table of tests/it/layers.rs"
        )];
    }
    let allowed = |name: &str| match own_layer {
        Some(layer) => layer.may_name(name),
        None => (home, name) == ("main", "cli"),
    };
    for path in paths(&tokens(text), &own) {
        let mut parts = path.split("::");
        if !matches!(parts.next(), Some("crate" | "afterword")) {
            continue;
        }
        match parts.next() {
            Some("*" | "self") | None => faults.push("names the whole crate".to_owned()),
            // `crate::name` that is no module of the crate is an item of lib.rs, which has none; a macro's hygiene aside, it would not compile.
            Some(name) if layer(name).is_some() && name != home && !allowed(name) => {
                faults.push(format!("names {name}, which is not for {home}"));
            }
            Some(_) => {}
        }
    }

    // A module of tests may read a fixture or wait; it is in no release.
    let is_test = own.iter().any(|part| part == "tests");
    let code = if is_test { "" } else { before_tests(text) };
    let words = tokens(code);
    if layer(home).is_some_and(|layer| layer.pure) {
        for path in paths(&words, &own) {
            let held = IMPURE_PATHS
                .iter()
                .any(|impure| path == *impure || path.starts_with(&format!("{impure}::")));
            if held || path.ends_with("Utc::now") || path.ends_with("Local::now") {
                faults.push(format!("holds {path}, and {home} is pure"));
            }
        }
        for word in words
            .iter()
            .filter(|word| IMPURE_WORDS.contains(&word.as_str()))
        {
            faults.push(format!("holds {word}, and {home} is pure"));
        }
    }
    if home != "cli" {
        for pair in words
            .windows(2)
            .filter(|pair| pair[1] == "!" && PRINTS.contains(&pair[0].as_str()))
        {
            faults.push(format!("prints with {}!, which only cli does", pair[0]));
        }
    }
    let lines = before_tests(text).lines().count();
    if lines > LONGEST_FILE && !is_test {
        faults.push(format!(
            "has {lines} lines without its tests: two concepts in one?"
        ));
    }
    faults
}

fn before_tests(text: &str) -> &str {
    let at = if text.starts_with("#[cfg(test)]") {
        Some(0)
    } else {
        text.find("\n#[cfg(test)]").map(|at| at + 1)
    };
    &text[..at.unwrap_or(text.len())]
}

/// Every path in the code, `use` trees spelled out, and those that climb with `super` told from the crate's root.
fn paths(tokens: &[String], own: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut modules: Vec<String> = own.to_vec();
    // For each open brace: whether it opened an inline module.
    let mut braces = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "use" if tokens.get(at + 1).is_some_and(|token| token != "<") => {
                at = tree(tokens, at + 1, &[], &modules, &mut found);
                continue;
            }
            "mod" if tokens.get(at + 2).is_some_and(|token| token == "{") => {
                modules.push(tokens[at + 1].clone());
                braces.push(true);
                at += 3;
                continue;
            }
            "{" => braces.push(false),
            "}" if braces.pop() == Some(true) => {
                modules.pop();
            }
            word if is_word(word) && tokens.get(at + 1).is_some_and(|token| token == "::") => {
                let mut path = vec![word.to_owned()];
                while tokens.get(at + 1).is_some_and(|token| token == "::")
                    && tokens.get(at + 2).is_some_and(|token| is_word(token))
                {
                    path.push(tokens[at + 2].clone());
                    at += 2;
                }
                found.push(rooted(&path, &modules));
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Reads one tree of a `use` from `at` on, adding each of its paths; returns where it ends.
fn tree(
    tokens: &[String],
    mut at: usize,
    prefix: &[String],
    modules: &[String],
    found: &mut Vec<String>,
) -> usize {
    let mut path = prefix.to_vec();
    while at < tokens.len() {
        match tokens[at].as_str() {
            "{" => {
                at += 1;
                while at < tokens.len() && tokens[at] != "}" {
                    at = tree(tokens, at, &path, modules, found);
                    if tokens.get(at).is_some_and(|token| token == ",") {
                        at += 1;
                    }
                }
                return at + 1;
            }
            "," | "}" | ";" => break,
            "as" => at += 2,
            "::" => at += 1,
            word => {
                path.push(word.to_owned());
                at += 1;
            }
        }
    }
    if path.len() > prefix.len() {
        found.push(rooted(&path, modules));
    }
    at
}

fn rooted(path: &[String], modules: &[String]) -> String {
    let climbed = path.iter().take_while(|part| *part == "super").count();
    if climbed == 0 {
        return path.join("::");
    }
    let kept = modules.len().saturating_sub(climbed);
    let parts: Vec<&str> = std::iter::once("crate")
        .chain(
            modules[..kept]
                .iter()
                .chain(&path[climbed..])
                .map(String::as_str),
        )
        .collect();
    parts.join("::")
}

fn is_word(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// The words and signs of the code; comments and the content of literals are left out.
fn tokens(text: &str) -> Vec<String> {
    let code: Vec<char> = text.chars().collect();
    let next_is = |at: usize, what: &str| {
        what.chars()
            .enumerate()
            .all(|(step, sign)| code.get(at + step) == Some(&sign))
    };
    let mut found = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let sign = code[at];
        if next_is(at, "//") {
            at += code[at..].iter().take_while(|sign| **sign != '\n').count();
        } else if next_is(at, "/*") {
            let mut depth = 0;
            loop {
                if next_is(at, "/*") {
                    (depth, at) = (depth + 1, at + 2);
                } else if next_is(at, "*/") {
                    (depth, at) = (depth - 1, at + 2);
                } else {
                    at += 1;
                }
                if depth == 0 || at >= code.len() {
                    break;
                }
            }
        } else if sign == '"' {
            at += 1;
            while at < code.len() && code[at] != '"' {
                at += if code[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if sign == '\'' {
            // A character, or a lifetime: the latter has no closing quote.
            if code.get(at + 1) == Some(&'\\') {
                at += 3;
                at += code[at.min(code.len())..]
                    .iter()
                    .take_while(|sign| **sign != '\'')
                    .count()
                    + 1;
            } else {
                at += if code.get(at + 2) == Some(&'\'') {
                    3
                } else {
                    1
                };
            }
        } else if sign.is_alphanumeric() || sign == '_' {
            let length = code[at..]
                .iter()
                .take_while(|sign| sign.is_alphanumeric() || **sign == '_')
                .count();
            let word: String = code[at..at + length].iter().collect();
            at += length;
            let hashes = code[at..].iter().take_while(|sign| **sign == '#').count();
            if matches!(word.as_str(), "r" | "br" | "cr") && code.get(at + hashes) == Some(&'"') {
                let end = format!("\"{}", "#".repeat(hashes));
                at += hashes + 1;
                while at < code.len() && !next_is(at, &end) {
                    at += 1;
                }
                at += end.len();
            } else {
                found.push(word);
            }
        } else if next_is(at, "::") {
            found.push("::".to_owned());
            at += 2;
        } else {
            if !sign.is_whitespace() {
                found.push(sign.to_string());
            }
            at += 1;
        }
    }
    found
}
