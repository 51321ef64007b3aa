// A private Python environment with the pinned python-socketio, and the program in `python/` run in it.
// It knows nothing about what is tested. SOCKETVILLE_PYTHON is the interpreter to begin with (default: python3).

import { execFile, spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PYTHON = process.env.SOCKETVILLE_PYTHON ?? "python3";
const PROGRAMS = fileURLToPath(new URL("../python", import.meta.url));
const ENVIRONMENT = fileURLToPath(new URL("../../target/python-clients", import.meta.url));
const REQUIREMENTS = join(PROGRAMS, "requirements.txt");
/** What the environment was made with and for; another text, another environment. */
const MADE_FOR = join(ENVIRONMENT, "made-for.txt");
/** Asks an interpreter whether it is new enough for `asyncio.timeout`, and can make environments. */
const QUESTION = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))";
/** Longer than the program gives itself. */
const RUN_MS_MAX = 29_000;

/** Why these tests cannot run here, or false. In CI they must. */
export function skipPython() {
  if (spawnSync(PYTHON, ["-c", QUESTION]).status === 0) return false;
  const reason = `${PYTHON} 3.11 or later with venv is missing (Debian packages python3 and python3-venv)`;
  if (process.env.CI === "true") throw new Error(reason);
  return reason;
}

/** Makes the environment, unless it is there for these very requirements, and returns its interpreter. */
export function makeEnvironment() {
  const wanted = `# ${PYTHON}\n${readFileSync(REQUIREMENTS, "utf8")}`;
  const python = join(ENVIRONMENT, "bin", "python");
  if (existsSync(python) && existsSync(MADE_FOR) && readFileSync(MADE_FOR, "utf8") === wanted) return python;
  rmSync(ENVIRONMENT, { recursive: true, force: true });
  run(PYTHON, ["-m", "venv", ENVIRONMENT]);
  run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r", REQUIREMENTS]);
  writeFileSync(MADE_FOR, wanted);
  return python;
}

function run(program, words) {
  const { status, stdout, stderr } = spawnSync(program, words, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${words.join(" ")} failed:\n${stdout}${stderr}`);
}

/** Runs the scenarios against a server: `[{ name, error }]`. */
export function runScenarios(python, url) {
  return new Promise((resolve, reject) => {
    const words = [join(PROGRAMS, "check.py"), url];
    const env = { ...process.env, PYTHONDONTWRITEBYTECODE: "1" };
    execFile(python, words, { timeout: RUN_MS_MAX, env }, (error, stdout, stderr) => {
      if (error) return reject(new Error(`check.py failed: ${error.message}\n${stderr}`));
      resolve(stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line)));
    });
  });
}
