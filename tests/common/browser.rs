//! Chromium without a window, driven over the pipe of its developer tools: JSON messages that end
//! in a zero byte.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What the browser may be called.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A browser with one page.
pub(crate) struct Browser {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    calls: u64,
    session: Option<String>,
    /// The names of the events since the last call for them.
    events: Vec<String>,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts one with an empty profile.
    pub(crate) fn start() -> Self {
        let runs = |name: &&&str| {
            let mut version = Command::new(name);
            let version = version
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            version.status().is_ok_and(|status| status.success())
        };
        let name = NAMES.iter().find(runs).expect("chromium is installed");
        let profile = tempfile::tempdir().unwrap();
        // The browser reads from descriptor 3 and writes to 4.
        let mut process = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1"])
            .args(["sh", name, "--headless", "--no-sandbox", "--disable-gpu"])
            .args(["--remote-debugging-pipe", "--hide-scrollbars"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut browser = Self {
            process,
            input,
            output,
            calls: 0,
            session: None,
            events: Vec::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let flat = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", &flat);
        browser.session = session["sessionId"].as_str().map(String::from);
        browser.call("Page.enable", &json!({}));
        browser
    }

    fn read(&mut self) -> Value {
        let mut message = Vec::new();
        self.output.read_until(0, &mut message).unwrap();
        assert_eq!(message.pop(), Some(0), "the browser ended");
        let message: Value = serde_json::from_slice(&message).unwrap();
        if let Some(event) = message["method"].as_str() {
            self.events.push(event.into());
        }
        message
    }

    /// Calls a method of the developer tools and returns its result.
    #[track_caller]
    pub(crate) fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.calls += 1;
        let mut message = json!({ "id": self.calls, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        write!(self.input, "{message}\0").unwrap();
        self.input.flush().unwrap();
        loop {
            let answer = self.read();
            if answer["id"] == json!(self.calls) {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    /// Opens a file and waits until it is there with all it needs.
    pub(crate) fn open(&mut self, path: &Path) {
        self.events.clear();
        let url = format!("file://{}", path.display());
        self.call("Page.navigate", &json!({ "url": url }));
        while !self
            .events
            .iter()
            .any(|event| event == "Page.loadEventFired")
        {
            self.read();
        }
    }

    /// A window of so many pixels, on a dark or light screen, with or without scripts.
    pub(crate) fn window(&mut self, width: u32, dark: bool, scripts: bool) {
        const HEIGHT: u32 = 900;
        let metrics = json!({
            "width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": false
        });
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", &media);
        let disabled = json!({ "value": !scripts });
        self.call("Emulation.setScriptExecutionDisabled", &disabled);
    }

    /// The value of a JavaScript expression.
    #[track_caller]
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let parameters = json!({
            "expression": expression, "returnByValue": true, "awaitPromise": true
        });
        let found = self.call("Runtime.evaluate", &parameters);
        assert!(found.get("exceptionDetails").is_none(), "{found}");
        found["result"]["value"].clone()
    }

    /// The value of an expression that is true or false.
    #[track_caller]
    pub(crate) fn holds(&mut self, expression: &str) -> bool {
        self.value(expression).as_bool().expect(expression)
    }

    /// The text of an expression.
    #[track_caller]
    pub(crate) fn text(&mut self, expression: &str) -> String {
        self.value(expression).as_str().expect(expression).into()
    }

    /// Scrolls the first visible element of `selector` into view and moves the pointer to these
    /// shares of its width and height; returns where that is.
    #[track_caller]
    pub(crate) fn point_at(&mut self, selector: &str, share: (f64, f64)) -> (f64, f64) {
        let selector = json!(selector);
        let place = self.value(&format!(
            "(() => {{
               const found = Array.from(document.querySelectorAll({selector}));
               const part = found.find((part) => part.getClientRects().length > 0);
               part.scrollIntoView({{ block: 'center', behavior: 'instant' }});
               const {{ left, top, width, height }} = part.getBoundingClientRect();
               return [left, top, width, height];
             }})()"
        ));
        let at = |start: usize, share: f64| {
            let value = |index: usize| place[index].as_f64().unwrap();
            value(start) + share * value(start + 2)
        };
        let (x, y) = (at(0, share.0), at(1, share.1));
        self.mouse("mouseMoved", (x, y));
        (x, y)
    }

    /// A click into the middle of the first visible element of `selector`.
    #[track_caller]
    pub(crate) fn click(&mut self, selector: &str) {
        let place = self.point_at(selector, (0.5, 0.5));
        self.mouse("mousePressed", place);
        self.mouse("mouseReleased", place);
    }

    fn mouse(&mut self, kind: &str, (x, y): (f64, f64)) {
        let button = if kind == "mouseMoved" { "none" } else { "left" };
        let event = json!({ "type": kind, "x": x, "y": y, "button": button, "clickCount": 1 });
        self.call("Input.dispatchMouseEvent", &event);
    }

    /// A key by its name and number: `("ArrowRight", 39)`.
    pub(crate) fn key(&mut self, (name, number): (&str, u32)) {
        for kind in ["keyDown", "keyUp"] {
            let event = json!({
                "type": kind, "key": name, "code": name, "windowsVirtualKeyCode": number
            });
            self.call("Input.dispatchKeyEvent", &event);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
