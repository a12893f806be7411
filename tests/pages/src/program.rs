//! The programs on a page, and what they print.
//!
//! ````text
//! ## A section
//! ```js       a Node program: CommonJS; `mjs` if it is an ES module   ┐ a program and its port
//! ```rust     a program if it has a `fn main`                         ┘ share one output
//! ```rust,linux   the same, on Linux only
//! ```text     what is printed; `text exit=13`: with that exit code, else 0
//! ````
//!
//! Each program is followed by its output before the next program begins. The one exception is a Node
//! program whose Rust port comes next in the same section.
//!
//! Included by `build.rs` too.

use std::fmt;
use std::fs;
use std::path::PathBuf;

/// The pages, without their `.md`.
pub const PAGES: [&str; 2] = ["ordering", "porting-from-node"];

/// What runs a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// `rust`: the binary `page`.
    Rust,
    /// `js`: Node, as a CommonJS main script.
    Script,
    /// `mjs`: Node, as an ES module.
    Module,
}

/// A program on a page.
#[derive(Clone, Debug)]
pub struct Program {
    /// The page and a number: `ordering_3` is the third Rust program of its page.
    pub name: String,
    /// Its page, without the `.md`.
    pub page: &'static str,
    /// The line of its opening fence.
    pub line: usize,
    /// The heading above it.
    pub section: String,
    /// What runs it.
    pub language: Language,
    /// Whether it runs on Linux only.
    pub needs_linux: bool,
    /// Its text.
    pub source: String,
    /// What the page says it prints; none is a mistake of the page.
    pub output: Option<Output>,
}

/// What a page says of a program's run.
#[derive(Clone, Debug)]
pub struct Output {
    /// All of stdout.
    pub stdout: String,
    /// The exit code.
    pub code: i32,
}

impl Program {
    /// Where it stands.
    pub fn place(&self) -> String {
        format!("docs/{}.md:{}", self.page, self.line)
    }
}

/// Where a page lies.
pub fn path_of(page: &str) -> PathBuf {
    // Cargo's word for now before that of the build: a build script may have been kept from another place.
    let here = std::env::var_os("CARGO_MANIFEST_DIR");
    let here = here.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.join(format!("../../docs/{page}.md"))
}

/// The programs of `page`, in their order.
pub fn of_page(page: &'static str) -> Result<Vec<Program>, Mistake> {
    let text = fs::read_to_string(path_of(page)).map_err(|error| Mistake {
        page,
        line: 0,
        what: error.to_string(),
    })?;
    let blocks = blocks(page, &text)?;
    let mut programs: Vec<Program> = Vec::new();
    for (at, block) in blocks.iter().enumerate() {
        let Some(language) = block.program() else { continue };
        let number = 1 + programs.iter().filter(|other| other.language == language).count();
        programs.push(Program {
            name: format!("{}_{number}", page.replace('-', "_")),
            page,
            line: block.line,
            section: block.section.to_owned(),
            language,
            needs_linux: block.info.ends_with(",linux"),
            source: block.text.clone(),
            output: output_of(&blocks[at..])?,
        });
    }
    Ok(programs)
}

/// What a program prints, which is the first of `blocks`.
fn output_of(blocks: &[Block<'_>]) -> Result<Option<Output>, Mistake> {
    let (program, mut rest) = blocks.split_first().expect("the program itself");
    let is_port = |next: &&Block<'_>| {
        program.program() != Some(Language::Rust)
            && next.program() == Some(Language::Rust)
            && next.section_line == program.section_line
    };
    let mut may_share = true;
    while let Some((next, after)) = rest.split_first() {
        match next.program() {
            Some(_) if may_share && is_port(&next) => may_share = false,
            Some(_) => return Ok(None),
            None if next.language() == "text" => return next.output().map(Some),
            None => {}
        }
        rest = after;
    }
    Ok(None)
}

/// A fenced block.
struct Block<'a> {
    page: &'static str,
    /// The line of the opening fence.
    line: usize,
    /// What stands behind the fence.
    info: &'a str,
    text: String,
    section: &'a str,
    section_line: usize,
}

impl Block<'_> {
    fn language(&self) -> &str {
        self.info.split([' ', ',']).next().unwrap_or_default()
    }

    /// What runs it, if it is a program.
    fn program(&self) -> Option<Language> {
        match self.language() {
            "rust" => self.text.contains("fn main").then_some(Language::Rust),
            "js" => Some(Language::Script),
            "mjs" => Some(Language::Module),
            _ => None,
        }
    }

    /// It as the output of a program.
    fn output(&self) -> Result<Output, Mistake> {
        let code = match self.info.split_once(' ') {
            None => Some(0),
            Some((_, end)) => end.strip_prefix("exit=").and_then(|code| code.parse().ok()),
        };
        match code {
            Some(code) => Ok(Output { stdout: self.text.clone(), code }),
            None => Err(self.mistake(format!("`{}` is not `text exit=CODE`", self.info))),
        }
    }

    fn mistake(&self, what: String) -> Mistake {
        Mistake { page: self.page, line: self.line, what }
    }
}

/// The fenced blocks of a page, in their order.
fn blocks<'a>(page: &'static str, text: &'a str) -> Result<Vec<Block<'a>>, Mistake> {
    let mut lines = text.lines().zip(1..);
    let (mut section, mut section_line) = ("", 0);
    let mut blocks = Vec::new();
    while let Some((opening, line)) = lines.next() {
        if opening.starts_with('#') {
            (section, section_line) = (opening.trim_start_matches('#').trim(), line);
        }
        let Some(info) = opening.strip_prefix("```") else { continue };
        let mut text = String::new();
        loop {
            match lines.next() {
                Some(("```", _)) => break,
                Some((inside, _)) => text.extend([inside, "\n"]),
                None => return Err(Mistake { page, line, what: "a block without end".into() }),
            }
        }
        blocks.push(Block { page, line, info, text, section, section_line });
    }
    Ok(blocks)
}

/// What is wrong with a page.
#[derive(Clone, Debug)]
pub struct Mistake {
    page: &'static str,
    line: usize,
    what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "docs/{}.md:{}: {}", self.page, self.line, self.what)
    }
}
