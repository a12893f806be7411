//! All that `#[runtime::main]` takes.

use std::error::Error;
use std::fmt;
use std::io;
use std::process::ExitCode;

/// The entry point of this program.
#[runtime::main]
async fn main() -> io::Result<()> {
    let _: [ExitCode; 15] = [
        plain(),
        with_exit(),
        with_builder(),
        with_builder_elsewhere(),
        with_all(),
        with_no_argument(),
        boxed_error(),
        braces_in_the_return_type(),
        unit(),
        r#match(),
        itself(),
        inner_attribute(),
        made_by_a_macro::one(),
        made_by_a_macro::two(),
        made_by_a_macro::three(),
    ];
    Ok(())
}

#[runtime::main]
fn plain() {}

#[runtime::main(exit = "main")]
fn with_exit() {}

#[runtime::main(builder = builder)]
fn with_builder() {}

#[runtime::main(builder = elsewhere::builder,)]
fn with_builder_elsewhere() {}

#[runtime::main(crate = ::runtime, builder = crate::builder, exit = "main")]
async fn with_all() {}

#[runtime::main()]
async fn with_no_argument() {}

#[runtime::main]
fn boxed_error() -> Result<(), Box<dyn Error>> {
    let number: u8 = "5".parse()?;
    assert_eq!(number, 5);
    Ok(())
}

#[runtime::main]
async fn braces_in_the_return_type() -> Result<(), Numbers<{ 1 + 2 }>> {
    Err(Numbers([1, 2, 3]))
}

struct Numbers<const N: usize>([u8; N]);

#[runtime::main]
fn unit() -> () {}

#[runtime::main]
fn r#match() {}

// Within the body the name is that of the user's function, not of the entry point.
#[runtime::main]
async fn itself() -> Result<(), fmt::Error> {
    Box::pin(itself()).await
}

#[runtime::main]
fn inner_attribute() {
    #![allow(unused_variables)]
    let unused = 5;
}

fn builder() -> runtime::Builder {
    runtime::Builder
}

mod elsewhere {
    pub(crate) fn builder() -> runtime::Builder {
        runtime::Builder
    }
}

mod made_by_a_macro {
    use std::fmt::Debug;

    macro_rules! parts {
        ($($(#[$meta:meta])* $vis:vis fn $name:ident() -> $output:ty $body:block)*) => {
            $(
                #[runtime::main]
                $(#[$meta])*
                $vis fn $name() -> $output $body
            )*
        };
    }

    macro_rules! whole {
        ($builder:path, $exit:literal, $item:item) => {
            #[runtime::main(builder = $builder, exit = $exit)]
            $item
        };
    }

    parts! {
        /// Has a doc comment.
        pub(crate) fn one() -> Result<(), &'static dyn Debug> {
            Ok(())
        }

        #[inline]
        pub(super) fn two() -> Result<(), [u8; 3]> {
            private();
            Ok(())
        }

        fn private() -> Result<(), ()> {
            Ok(())
        }
    }

    whole! {
        crate::elsewhere::builder, "main",
        #[cfg(true)]
        pub(crate) async fn three() {}
    }

    whole! {
        crate::elsewhere::builder, "main",
        #[cfg(false)]
        pub(crate) async fn three() -> NoSuchType {}
    }
}
