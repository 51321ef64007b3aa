// The servers to run against, as words for their command line: SOCKETVILLE_CORES times SOCKETVILLE_DRIVERS.
// Which transports and profiles are used is the business of the tests.

/** One list of options for each server of the matrix. */
export function serverCells() {
  const cores = listFrom("SOCKETVILLE_CORES", "1,2");
  const drivers = listFrom("SOCKETVILLE_DRIVERS", "io_uring,epoll");
  return drivers.flatMap((driver) => cores.map((n) => [`cores=${n}`, `driver=${driver}`]));
}

function listFrom(variable, otherwise) {
  return (process.env[variable] ?? otherwise).split(",").filter(Boolean);
}
