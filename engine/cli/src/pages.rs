//! What a browser or a person with curl finds: the town's page, or a text that names the doors; health and metrics.
//!
//! Not files: the page is part of the program, and nothing is loaded from elsewhere.

use socketville::{Builder, HttpRequest, HttpResponse, Method};

/// Adds `/healthz`, `/readyz` and `/metrics`.
pub(crate) fn serve_figures(io: &Builder) {
    io.route(Method::Get, "/healthz", async |_request: HttpRequest| {
        HttpResponse::text(200, "ok\n").with_header("Cache-Control", "no-store")
    });
    io.route(Method::Get, "/readyz", async |request: HttpRequest| {
        let (status, text) =
            if request.emitter().is_ready() { (200, "ready\n") } else { (503, "stopping\n") };
        HttpResponse::text(status, text).with_header("Cache-Control", "no-store")
    });
    io.route(Method::Get, "/metrics", async |request: HttpRequest| {
        let reports = request.emitter().reports().await;
        HttpResponse::new(200, PROMETHEUS, socketville::render_metrics(&reports))
    });
}

/// Adds the town's page.
pub(crate) fn serve_town(io: &Builder) {
    for (path, content_type, body) in TOWN {
        io.route(Method::Get, path, move |_request: HttpRequest| async move {
            HttpResponse::new(200, content_type, body)
                .with_header("Cache-Control", "no-cache")
                .with_header("Content-Security-Policy", POLICY)
                .with_header("X-Content-Type-Options", "nosniff")
                .with_header("Referrer-Policy", "no-referrer")
        });
    }
}

/// Adds a text at `/` that names the doors.
pub(crate) fn serve_doors(io: &Builder) {
    io.route(Method::Get, "/", async |_request: HttpRequest| HttpResponse::text(200, DOORS));
}

/// Path, media type and content of what the page consists of.
const TOWN: [(&str, &str, &str); 4] = [
    ("/", "text/html; charset=utf-8", include_str!("../page/index.html")),
    ("/style.css", "text/css; charset=utf-8", include_str!("../page/style.css")),
    ("/town.js", "text/javascript; charset=utf-8", include_str!("../page/town.js")),
    ("/client.js", "text/javascript; charset=utf-8", include_str!("../page/client.js")),
];

/// Everything from this server, nothing inline; its icon is a `data:` URL. `ws:` and `wss:` are for browsers whose `self` is http alone.
const POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; object-src 'none'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The text format of Prometheus.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

const DOORS: &str = concat!(
    "Socketville ",
    env!("CARGO_PKG_VERSION"),
    ", a broadcast engine that speaks Socket.IO\n\n",
    "/socket.io/         clients of Socket.IO 4; they emit join and leave with a room's name\n",
    "POST /api/publish   backends with a bearer key: {\"rooms\":[..],\"event\":..,\"args\":[..]}\n",
    "/healthz            whether it lives\n",
    "/readyz             whether it takes new clients\n",
    "/metrics            figures for Prometheus\n\n",
    "Started with --demo, it shows a town here.\n",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_loads_nothing_but_what_is_served() {
        let (_, _, page) = TOWN[0];
        for (path, ..) in &TOWN[1..3] {
            assert!(page.contains(&format!("\"{}\"", &path[1..])), "{path} is on the page");
        }
        for (path, _, body) in TOWN {
            for scheme in ["src=\"http", "href=\"http", "url(http", "from \"http", "@import"] {
                assert!(!body.contains(scheme), "{path} loads from elsewhere: {scheme}");
            }
        }
    }
}
