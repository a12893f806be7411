//! Sizes: the smallest programs, and how long their libraries take to build.
//!
//! Each is a package of its own in a temporary directory, so that no other's features or profile are
//! in it. Crates come from cargo's cache where they are there.

use std::fs;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::Options;
use super::figure::{Figure, median};
use super::peer::{output, package};

/// A program that waits for a millisecond and says hello.
struct Hello {
    name: &'static str,
    dependency: &'static str,
    /// What is built for the time; the program itself is no part of it.
    library: &'static str,
    main: &'static str,
}

const ALL: &[Hello] = &[
    Hello {
        name: "ours",
        dependency: "runtime = { path = \"RUNTIME\" }",
        library: "runtime",
        main: "#[runtime::main]
async fn main() {
    runtime::time::sleep(runtime::ms(1)).await;
    println!(\"hello\");
}",
    },
    Hello {
        name: "smol",
        dependency: "smol = \"2\"",
        library: "smol",
        main: "fn main() {
    smol::block_on(async {
        smol::Timer::after(std::time::Duration::from_millis(1)).await;
        println!(\"hello\");
    });
}",
    },
    Hello {
        name: "tokio, what the program needs",
        dependency: "tokio = { version = \"1\", features = [\"macros\", \"rt\", \"time\"] }",
        library: "tokio",
        main: TOKIO,
    },
    Hello {
        name: "tokio, full",
        dependency: "tokio = { version = \"1\", features = [\"full\"] }",
        library: "tokio",
        main: TOKIO,
    },
];

const TOKIO: &str = "#[tokio::main(flavor = \"current_thread\")]
async fn main() {
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    println!(\"hello\");
}";

/// As small and fast as cargo makes it, for the size; the time is of a plain release build.
const PROFILE: &str = "
[profile.small]
inherits = \"release\"
lto = \"fat\"
codegen-units = 1
strip = true
";

/// Builds all, and says that nothing is missing.
pub(crate) fn sizes(options: &Options) -> Result<bool> {
    let mut text = "| | hello world, KiB | library, clean release build, s | the program again, s | crates |\n\
                    |---|---:|---:|---:|---:|\n"
        .to_owned();
    for hello in ALL {
        eprintln!("{}", hello.name);
        let package = Package::new(hello)?;
        let kib = package.program_bytes()? as f64 / 1024.0;
        let clean = of_rounds(options, || package.seconds_to_build(hello.library))?;
        let again = of_rounds(options, || package.seconds_to_build_again(hello.main))?;
        let crates = package.crates()?;
        text += &format!("| {} | {kib:.0} | {clean} | {again} | {crates} |\n", hello.name);
    }
    text += "\nThe program waits for a millisecond and prints a line; fat LTO, one unit, stripped. The clean \
             build is of the library with all it depends on, no LTO. \"Again\" is a debug build when the \
             program has changed, and the library has not.\n";
    options.write("sizes", "Sizes", &text)?;
    Ok(true)
}

/// The median of what `seconds` takes.
fn of_rounds(options: &Options, seconds: impl FnMut() -> Result<f64>) -> Result<String> {
    let rounds = std::iter::repeat_with(seconds).take(options.rounds.min(3));
    let mut rounds = rounds.collect::<Result<Vec<_>>>()?;
    Ok(Figure::new("build", median(&mut rounds), "s").short())
}

/// A package in a temporary directory, gone when dropped.
struct Package(PathBuf);

impl Package {
    fn new(hello: &Hello) -> Result<Self> {
        let directory = std::env::temp_dir().join(format!("bench-sizes-{}", std::process::id()));
        fs::create_dir_all(directory.join("src"))?;
        let made = Self(directory);
        let library = package().join("../../runtime").canonicalize()?;
        let dependency = hello.dependency.replace("RUNTIME", &library.display().to_string());
        let manifest = format!(
            "[package]\nname = \"hello\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\n{dependency}\n{PROFILE}"
        );
        fs::write(made.0.join("Cargo.toml"), manifest)?;
        fs::write(made.0.join("src/main.rs"), hello.main)?;
        // From the cache; what is not there is fetched.
        if made
            .cargo(&["generate-lockfile", "--offline"])
            .and_then(|()| made.cargo(&["fetch", "--offline"]))
            .is_err()
        {
            made.cargo(&["generate-lockfile"])?;
            made.cargo(&["fetch"])?;
        }
        Ok(made)
    }

    fn cargo(&self, arguments: &[&str]) -> Result<()> {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(&self.0).env("CARGO_TARGET_DIR", self.target()).args(arguments);
        output(&mut cargo).map(drop)
    }

    fn target(&self) -> PathBuf {
        self.0.join("target")
    }

    fn program_bytes(&self) -> Result<u64> {
        self.cargo(&["build", "--offline", "--profile", "small"])?;
        let program = self.target().join("small/hello");
        check_says_hello(&program)?;
        Ok(fs::metadata(program)?.len())
    }

    fn seconds_to_build(&self, library: &str) -> Result<f64> {
        fs::remove_dir_all(self.target())?;
        self.seconds_of(&["build", "--offline", "--release", "-p", library])
    }

    /// As one does all day: the library is built, and the program has changed.
    fn seconds_to_build_again(&self, main: &str) -> Result<f64> {
        const DEBUG_BUILD: &[&str] = &["build", "--offline"];
        self.cargo(DEBUG_BUILD)?;
        fs::write(self.0.join("src/main.rs"), format!("{main}\n// changed\n"))?;
        let seconds = self.seconds_of(DEBUG_BUILD);
        fs::write(self.0.join("src/main.rs"), main)?;
        seconds
    }

    fn seconds_of(&self, arguments: &[&str]) -> Result<f64> {
        let start = Instant::now();
        self.cargo(arguments)?;
        Ok(start.elapsed().as_secs_f64())
    }

    /// Returns how many crates it has with those that they need, on this system.
    fn crates(&self) -> Result<usize> {
        let mut tree = Command::new("cargo");
        tree.current_dir(&self.0).args(["tree", "--offline", "--prefix", "none", "--no-dedupe"]);
        let text = output(&mut tree)?;
        let mut crates: Vec<_> = text.lines().filter_map(|line| line.split(" (").next()).collect();
        crates.sort_unstable();
        crates.dedup();
        Ok(crates.len() - 1) // without the program
    }
}

impl Drop for Package {
    fn drop(&mut self) {
        // What stays behind is in the temporary directory.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn check_says_hello(program: &Path) -> Result<()> {
    match output(&mut Command::new(program))?.as_str() {
        "hello" => Ok(()),
        other => Err(Error::other(format!("it said {other:?}"))),
    }
}
