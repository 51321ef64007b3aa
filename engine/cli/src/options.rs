//! The command line and the environment, which say the same.
//!
//! Not defaults of the engine: what is not asked for here is left to the library.

use std::str::FromStr;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use socketville::limits::FLUSH_INTERVAL_MS_MAX;
use socketville::{Cors, Origin, OriginError, Origins, Pinning};

use crate::key::ApiKey;
use crate::limit_options::LimitOptions;

/// A broadcast engine that speaks Socket.IO.
///
/// Without arguments it does `socketville serve --demo`.
#[derive(Debug, Parser)]
#[command(name = "socketville", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve Socket.IO to browsers and a publish API to backends
    ///
    /// Clients connect with any official Socket.IO 4 client and emit `join` and `leave` with a room's name; backends post what is to
    /// be broadcast to /api/publish. Health is at /healthz, metrics for Prometheus are at /metrics. Logs go to standard error (RUST_LOG).
    Serve(Options),
}

/// How to serve.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Let clients speak to rooms that they are in, and serve the page of the town at /
    ///
    /// Adds the namespaces /harbour and /market. Without it only backends speak.
    #[arg(
        long,
        env = "SOCKETVILLE_DEMO",
        hide_env_values = true,
        value_name = "true|false",
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true",
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) demo: bool,

    /// Address and port to listen on; port 0 takes any free one
    #[arg(
        long,
        env = "SOCKETVILLE_LISTEN",
        hide_env_values = true,
        value_name = "ADDR:PORT",
        default_value = "0.0.0.0:3000"
    )]
    pub(crate) listen: String,

    /// Cores to run on, one pinned thread each [default: all that this process may use, within a cgroup's CPU quota]
    #[arg(
        long,
        env = "SOCKETVILLE_CORES",
        hide_env_values = true,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub(crate) cores: Option<u16>,

    /// To which cores of the machine the threads are pinned
    ///
    /// `auto` takes the first ones; a number leaves out so many of the first, for other programs that pin their threads; `none` leaves it to the kernel.
    /// Where there are fewer cores than threads, none is pinned.
    #[arg(
        long,
        env = "SOCKETVILLE_PIN",
        hide_env_values = true,
        value_name = "auto|none|N",
        default_value = "auto"
    )]
    pub(crate) pin: Pin,

    /// Share the port with other servers of the same user that do the same (SO_REUSEPORT); without it a port in use is an error
    #[arg(
        long,
        env = "SOCKETVILLE_REUSE_PORT",
        hide_env_values = true,
        value_name = "true|false",
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true",
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) reuse_port: bool,

    /// How long clients have to take what is due to them when the server is stopped, such as 10s or 500ms
    ///
    /// After SIGTERM the server accepts no connection. The process ends as soon as every client has its bytes, and 5 s after this time at the
    /// latest. A second signal ends it at once, and clients lose the bytes that they have not taken. A signal within 100 ms of the first changes
    /// nothing, for `timeout` and others send it twice.
    #[arg(
        long,
        env = "SOCKETVILLE_DRAIN_WINDOW",
        hide_env_values = true,
        value_name = "TIME",
        default_value = "10s",
        value_parser = time
    )]
    pub(crate) drain_window: Duration,

    /// How to talk to the kernel
    #[arg(
        long,
        env = "SOCKETVILLE_DRIVER",
        hide_env_values = true,
        value_enum,
        value_name = "DRIVER",
        default_value = "auto"
    )]
    pub(crate) driver: Driver,

    /// Key that backends show to publish [default: made at start, and printed]
    ///
    /// Prefer the environment variable: other users of this machine see command lines.
    #[arg(long, env = "SOCKETVILLE_API_KEY", hide_env_values = true, value_name = "KEY")]
    pub(crate) api_key: Option<ApiKey>,

    /// An origin whose pages may connect, such as https://example.com, or * for any; may be given several times, or with commas
    ///
    /// https://*.example.org is all with one label more, null is what browsers say of files. With a list, its pages may bring cookies, and handshakes of
    /// other origins are refused, WebSockets included. Without it pages of the own origin may connect, and others by WebSocket only.
    #[arg(
        long = "cors-origin",
        env = "SOCKETVILLE_CORS_ORIGINS",
        hide_env_values = true,
        value_name = "ORIGIN",
        value_delimiter = ',',
        value_parser = page
    )]
    pub(crate) cors_origins: Vec<Pages>,

    /// Directory with the client's files, the dist of an installed socket.io-client, to serve under /socket.io/
    #[arg(long, env = "SOCKETVILLE_CLIENT_DIR", hide_env_values = true, value_name = "DIR")]
    pub(crate) client_dir: Option<std::path::PathBuf>,

    /// Serve also clients 2.x (Engine.IO 3)
    #[arg(
        long,
        env = "SOCKETVILLE_ALLOW_EIO3",
        hide_env_values = true,
        value_name = "true|false",
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true",
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) allow_eio3: bool,

    /// A namespace to serve beside /; may be given several times, or with commas
    #[arg(
        long = "namespace",
        env = "SOCKETVILLE_NAMESPACES",
        hide_env_values = true,
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = namespace
    )]
    pub(crate) namespaces: Vec<String>,

    /// Limits for each client.
    #[command(flatten)]
    pub(crate) limits: LimitOptions,

    /// Milliseconds that a broadcast may wait for others, so that they leave in one send
    ///
    /// A send costs the same with one message as with many. 0 sends at once; at 50 messages a second 100 save four sends of five.
    #[arg(
        long,
        env = "SOCKETVILLE_FLUSH_INTERVAL_MS",
        hide_env_values = true,
        value_name = "MS",
        default_value_t = 0,
        value_parser = clap::value_parser!(u8).range(..=i64::from(FLUSH_INTERVAL_MS_MAX))
    )]
    pub(crate) flush_interval_ms: u8,
}

/// Whose pages may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pages {
    /// Anybody's.
    Any,
    /// Those of an origin.
    Of(Origin),
}

/// The ways to talk to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Driver {
    /// io_uring where the kernel allows it and is 6.1 or newer, epoll elsewhere
    Auto,
    /// io_uring or nothing
    #[value(name = "io_uring", alias = "io-uring")]
    IoUring,
    /// epoll
    Epoll,
}

impl From<Driver> for socketville::Driver {
    fn from(driver: Driver) -> Self {
        match driver {
            Driver::Auto => Self::Auto,
            Driver::IoUring => Self::IoUring,
            Driver::Epoll => Self::Epoll,
        }
    }
}

/// Where threads are pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pin {
    Auto,
    From(usize),
    Never,
}

impl FromStr for Pin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("auto", _) => Ok(Self::Auto),
            ("none", _) => Ok(Self::Never),
            (_, Ok(first)) => Ok(Self::From(first)),
            _ => Err("expected auto, none, or how many cores to leave out".into()),
        }
    }
}

impl From<Pin> for Pinning {
    fn from(pin: Pin) -> Self {
        match pin {
            Pin::Auto => Self::Auto,
            Pin::From(first) => Self::From(first),
            Pin::Never => Self::Never,
        }
    }
}

impl Options {
    /// Who may read answers across origins.
    pub(crate) fn cors(&self) -> Cors {
        match self.cors_origins.as_slice() {
            [] => Cors::default(),
            pages if pages.contains(&Pages::Any) => Cors::any(),
            pages => {
                let origin = |pages: &Pages| match pages {
                    Pages::Any => None,
                    Pages::Of(origin) => Some(origin.clone()),
                };
                let origins = Origins::These(pages.iter().filter_map(origin).collect());
                Cors { origins, ..Cors::default() }.with_credentials()
            }
        }
    }

    /// All namespaces to serve, `/` first, each once.
    pub(crate) fn all_namespaces(&self) -> Vec<String> {
        let demo = if self.demo { DEMO_NAMESPACES } else { &[] };
        let mut all = vec![String::from("/")];
        for name in demo.iter().copied().chain(self.namespaces.iter().map(String::as_str)) {
            if !all.iter().any(|known| known == name) {
                all.push(name.to_owned());
            }
        }
        all
    }
}

/// Reads the command line of this process. Says what is wrong with it, or the help that was asked for, and ends the process.
pub(crate) fn parse() -> Options {
    read(std::env::args_os().collect()).unwrap_or_else(|error| error.exit())
}

fn read(mut args: Vec<std::ffi::OsString>) -> Result<Options, clap::Error> {
    if args.len() <= 1 {
        args = ["socketville", "serve"].map(Into::into).into();
        if std::env::var_os("SOCKETVILLE_DEMO").is_none() {
            args.push("--demo".into());
        }
    }
    let Some(Command::Serve(options)) = Cli::try_parse_from(args)?.command else {
        return Err(clap::Error::new(clap::error::ErrorKind::MissingSubcommand));
    };
    Ok(options)
}

/// Whose pages may connect: an origin, or anybody's.
fn page(text: &str) -> Result<Pages, OriginError> {
    if text.trim() == "*" { Ok(Pages::Any) } else { text.parse().map(Pages::Of) }
}

/// A time: a whole number and `ms`, `s` or `m`; seconds without one.
fn time(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let ms_each = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        _ => return Err(format!("expected a time such as 10s, 500ms or 1m, found {text:?}")),
    };
    let ms = number.parse::<u64>().ok().and_then(|number| number.checked_mul(ms_each));
    ms.filter(|ms| *ms <= TIME_MS_MAX)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("expected a time of at most an hour such as 10s or 500ms, found {text:?}"))
}

/// A namespace's name, with its slash.
fn namespace(name: &str) -> Result<String, String> {
    let name = if name.starts_with('/') { name.to_owned() } else { format!("/{name}") };
    if name.len() > NAMESPACE_BYTES_MAX {
        return Err(format!("expected at most {NAMESPACE_BYTES_MAX} bytes, found {}", name.len()));
    }
    if let Some(stranger) = name.chars().find(|c| matches!(c, '?' | ',') || c.is_control()) {
        return Err(format!(
            "expected a name without question mark, comma and control characters, found {stranger:?}"
        ));
    }
    Ok(name)
}

/// The neighbourhoods of the demo's town, beside `/`.
const DEMO_NAMESPACES: &[&str] = &["/harbour", "/market"];

/// The longest time that an option takes: an hour. More is a slip of the pen.
const TIME_MS_MAX: u64 = 3_600_000;

/// Bytes of a namespace's name: longer ones are refused by the engine's decoder, so nobody could ever join them.
const NAMESPACE_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Options, clap::Error> {
        read(std::iter::once("socketville").chain(args.iter().copied()).map(Into::into).collect())
    }

    #[test]
    fn the_definition_is_sound() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn without_arguments_it_serves_the_demo() {
        let options = parsed(&[]).expect("valid");
        assert!(options.demo && options.listen == "0.0.0.0:3000" && options.driver == Driver::Auto);
        assert_eq!((options.cores, options.api_key.is_none(), options.flush_interval_ms), (None, true, 0));
        assert_eq!(options.all_namespaces(), ["/", "/harbour", "/market"]);
    }

    #[test]
    fn times_have_units() {
        let window =
            |text: &str| parsed(&["serve", "--drain-window", text]).map(|options| options.drain_window);
        for (text, ms) in [("10s", 10_000), ("500ms", 500), ("3", 3000), ("1m", 60_000), ("0s", 0)] {
            assert_eq!(window(text).expect("a time"), Duration::from_millis(ms), "{text}");
        }
        for text in ["", "s", "-1s", "1.5s", "1 s", "2h", "61m", "99999999999999999999s"] {
            assert!(window(text).is_err(), "{text}");
        }
        assert_eq!(parsed(&["serve"]).expect("valid").drain_window, Duration::from_secs(10));
    }

    #[test]
    fn threads_are_pinned_as_asked_for() {
        let pin = |text: &str| parsed(&["serve", "--pin", text]).map(|options| options.pin);
        for (text, expected) in [("auto", Pin::Auto), ("none", Pin::Never), ("4", Pin::From(4))] {
            assert_eq!(pin(text).expect("valid"), expected);
        }
        assert!(pin("all").is_err() && pin("-1").is_err());
        let options = parsed(&["serve", "--reuse-port"]).expect("valid");
        assert!(options.reuse_port && options.pin == Pin::Auto);
    }

    #[test]
    fn serve_alone_is_not_the_demo() {
        let options = parsed(&["serve"]).expect("valid");
        assert!(!options.demo && !options.allow_eio3);
        assert_eq!(options.all_namespaces(), ["/"]);
    }

    #[test]
    fn every_option_is_read() {
        let options = parsed(&[
            "serve",
            "--demo",
            "--listen",
            "127.0.0.1:0",
            "--cores",
            "2",
            "--driver",
            "io_uring",
            "--api-key",
            "secret",
            "--allow-eio3",
            "--namespace",
            "chat,/news",
            "--namespace",
            "/market",
            "--flush-interval-ms",
            "20",
        ])
        .expect("valid");
        assert!(options.demo && options.listen == "127.0.0.1:0" && options.cores == Some(2));
        assert_eq!((options.driver, options.allow_eio3), (Driver::IoUring, true));
        assert_eq!(options.flush_interval_ms, 20);
        assert!(options.api_key.as_ref().is_some_and(|key| key.is("secret")));
        assert_eq!(options.all_namespaces(), ["/", "/harbour", "/market", "/chat", "/news"]);
    }

    /// A list means credentials, any means none: browsers refuse the two together.
    #[test]
    fn origins_are_named_with_credentials() {
        let cors = |list: &str| parsed(&["serve", "--cors-origin", list]).expect("valid").cors();
        let listed =
            Cors::these(["https://a.b", "https://*.c.d", "null"]).expect("origins").with_credentials();
        assert_eq!(cors("HTTPS://A.b:443/,https://*.c.d,null"), listed);
        assert_eq!(cors("https://a.b,*"), Cors::any());
    }

    #[test]
    fn a_value_for_demo_needs_its_equals_sign() {
        assert!(!parsed(&["serve", "--demo=false"]).expect("valid").demo);
        assert!(parsed(&["serve", "--demo=yes"]).expect("valid").demo);
        assert!(parsed(&["serve", "--demo", "false"]).is_err());
    }

    #[test]
    fn bad_options_are_named() {
        let long = "n".repeat(256);
        for (args, expected) in [
            (&["serve", "--cores", "0"][..], "0 is not in 1..=65535"),
            (&["serve", "--flush-interval-ms", "251"], "251 is not in 0..=250"),
            (&["serve", "--driver", "kqueue"], "possible values: auto, io_uring, epoll"),
            (&["serve", "--api-key", ""], "expected a key of 1 to 256 visible ASCII characters, found none"),
            (&["serve", "--api-key", "a b"], "found ' '"),
            (&["serve", "--namespace", "what?"], "found '?'"),
            (&["serve", "--namespace", &long], "expected at most 256 bytes, found 257"),
            (&["serve", "--cors-origin", "example.org"], "it has no scheme"),
            (&["serve", "--cors-origin", "https://a,https://b/c"], "it has more than scheme, host and port"),
            (&["serve", "--attachments-max", "100"], "100 is not in 1..=99"),
            (&["serve", "--depth-max", "0"], "0 is not in 1..=128"),
            (&["serve", "--port", "3000"], "unexpected argument '--port'"),
            (&["start"], "unrecognized subcommand 'start'"),
        ] {
            let error = parsed(args).expect_err("refused").to_string();
            assert!(error.contains(expected), "{args:?}: {error}");
        }
    }

    #[test]
    fn help_tells_defaults_and_variables_but_no_key() {
        let help = parsed(&["serve", "--help"]).expect_err("help").to_string();
        for part in [
            "[default: 0.0.0.0:3000]",
            "[env: SOCKETVILLE_API_KEY]",
            "[default: auto]",
            "SOCKETVILLE_CORES",
            "SOCKETVILLE_ALLOW_EIO3",
            "SOCKETVILLE_FLUSH_INTERVAL_MS",
        ] {
            assert!(help.contains(part), "{part} in {help}");
        }
    }
}
