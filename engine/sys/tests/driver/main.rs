//! The contract of [`socketville_sys::Driver`], each test on each driver: the ring with direct descriptors, the ring with
//! ordinary ones, epoll. Not here: what only one driver has, which is tested beside its code.

mod accepting;
mod closing;
mod harness;
mod moving;
mod transfer;
mod waiting;

macro_rules! on_every_driver {
    ($($place:ident::$test:ident),* $(,)?) => {
        mod ring_direct { $(#[test] fn $test() { crate::$place::$test::<crate::harness::Direct>(); })* }
        mod ring_ordinary { $(#[test] fn $test() { crate::$place::$test::<crate::harness::Ordinary>(); })* }
        mod epoll { $(#[test] fn $test() { crate::$place::$test::<crate::harness::Edges>(); })* }
    };
}

on_every_driver! {
    accepting::nodelay_is_inherited_and_the_peer_is_known,
    accepting::a_pause_keeps_connections_in_the_backlog,
    accepting::a_closed_listener_refuses,
    accepting::connections_not_yet_reported_end_with_the_driver,
    accepting::running_out_of_descriptors_is_survived_without_spinning,
    closing::the_last_bytes_arrive_before_the_end,
    closing::unread_bytes_do_not_turn_the_end_into_a_reset,
    closing::a_reset_by_the_peer_is_a_failure,
    closing::a_reset_by_us_reaches_the_peer,
    closing::the_end_is_known_though_bytes_are_not_received,
    closing::a_shutdown_ends_one_direction_after_the_last_bytes,
    closing::bytes_on_their_way_at_our_end_do_not_reset_it,
    closing::a_close_right_after_a_shutdown_delivers_everything,
    closing::a_shutdown_of_a_broken_connection_is_nothing,
    closing::shutdowns_by_the_hundred_start_no_worker,
    closing::stale_tokens_are_counted_and_touch_nothing,
    closing::five_thousand_connections_come_and_go,
    closing::dropping_the_driver_ends_its_connections,
    moving::connections_move_between_cores_with_and_without_bytes_waiting,
    moving::a_watched_connection_can_move,
    transfer::five_hundred_clients_get_their_own_bytes_back,
    transfer::a_slow_reader_gets_everything_in_order,
    transfer::exceptions_name_their_positions_and_nothing_is_held,
    transfer::the_end_is_reported_after_the_bytes,
    transfer::a_small_completion_queue_loses_nothing,
    transfer::writable_is_reported_once_for_each_watch,
    waiting::a_sleeping_wait_is_woken_from_another_thread,
    waiting::no_wake_is_lost_among_many,
    waiting::timeouts_are_kept,
    waiting::far_deadlines_are_kept_and_cost_one_timer,
    waiting::readable_is_reported_once_until_received,
}
