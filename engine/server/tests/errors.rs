//! What errors and public types offer to a log: a source below, and `Debug`.

use std::error::Error as _;
use std::fmt::Debug;

use socketville::{
    Ack, AckError, Broadcast, BroadcastAckError, Builder, Direct, EmitError, Emitter, Error, JoinError,
    Namespace, RelayError, RemoteSocket, Server, Socket,
};

/// Compiles only if it can be logged.
fn shown<T: Debug>() {}

#[test]
fn public_types_can_be_logged() {
    shown::<Server>();
    shown::<Builder>();
    shown::<Namespace<'_>>();
    shown::<Emitter>();
    shown::<Broadcast<'_>>();
    shown::<Direct<'_>>();
    shown::<RemoteSocket>();
    shown::<Socket>();
    shown::<Ack>();
    let io = Server::builder();
    assert!(format!("{io:?} {:?}", io.of("/")).contains("Builder"));
}

#[test]
fn an_error_names_the_one_below() {
    let taken = Server::builder().cores(1).listen("127.0.0.1:0").expect("a free port");
    let io = Server::builder();
    let error = io.cores(1).listen(&taken.local_addr().to_string()).expect_err("it is taken");
    assert!(matches!(error, Error::Listen(..)) && error.source().is_some(), "{error:?}");

    let emit = || EmitError::ReservedEvent("connect".into());
    assert!(emit().source().is_none());
    assert!(AckError::Emit(emit()).source().is_some());
    assert!(BroadcastAckError::<u32>::Emit(emit()).source().is_some());
    assert!(RelayError::Emit(emit()).source().is_some());
    assert!(AckError::Timeout.source().is_none());
    fn is_error<T: std::error::Error>() {}
    is_error::<JoinError>();
}

/// Full and ended are two things: the first may be tried again.
#[test]
fn a_full_core_is_not_an_ended_server() {
    let (full, ended) = (EmitError::Full.to_string(), EmitError::Ended.to_string());
    assert!(full.contains("behind") && ended.contains("ended") && full != ended);
}
