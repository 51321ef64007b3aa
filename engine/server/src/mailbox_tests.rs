//! What mailboxes promise: all or none, no order lost, nothing between what was missed and what is told of it.

use super::*;

fn order() -> Letter {
    Letter::Order(Arc::new(|_| {}), 0)
}

/// An order that says when nobody has it any more.
fn told(ends: &Arc<AtomicUsize>) -> Letter {
    struct Told(Arc<AtomicUsize>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let told = Told(Arc::clone(ends));
    Letter::Order(Arc::new(move |_| _ = &told), 0)
}

fn fill(mailbox: &Mailbox) {
    (0..MAILBOX_LETTERS_MAX).for_each(|_| assert!(mailbox.post(order()).is_ok()));
}

fn count(mailbox: &Mailbox) -> usize {
    std::iter::from_fn(|| mailbox.take()).count()
}

#[test]
fn a_place_that_is_not_used_is_given_back() {
    let mailbox = Mailbox::new(MailLimits::default());
    fill(&mailbox);
    assert!(matches!(mailbox.reserve(), Err(EmitError::Full)));
    assert!(mailbox.post(order()).is_err());
    assert!(mailbox.take().is_some());
    for _ in 0..3 {
        let place = mailbox.reserve();
        assert!(place.is_ok() && matches!(mailbox.reserve(), Err(EmitError::Full)), "promised");
    }
    mailbox.reserve().expect("given back").post(order());
    assert_eq!(count(&mailbox), MAILBOX_LETTERS_MAX);
}

/// Whoever is refused by one of several has reached none, so that to try again doubles nothing.
#[test]
fn a_letter_reaches_all_or_none() {
    let mailboxes = [
        Mailbox::new(MailLimits::default()),
        Mailbox::new(MailLimits::default()),
        Mailbox::new(MailLimits::default()),
    ];
    fill(&mailboxes[1]);
    let post = || -> Result<(), EmitError> {
        let places = mailboxes.iter().map(Mailbox::reserve).collect::<Result<Vec<_>, _>>()?;
        places.into_iter().for_each(|place| place.post(order()));
        Ok(())
    };
    for _ in 0..3 {
        assert!(matches!(post(), Err(EmitError::Full)));
    }
    assert!(mailboxes[1].take().is_some());
    assert!(post().is_ok());
    mailboxes[2].close();
    assert!(mailboxes[1].take().is_some());
    assert!(matches!(post(), Err(EmitError::Ended)));
    assert_eq!(mailboxes.each_ref().map(count), [1, MAILBOX_LETTERS_MAX - 1, 0]);
}

#[test]
fn an_order_that_finds_no_place_keeps_its_turn() {
    let mailbox = Mailbox::new(MailLimits::default());
    fill(&mailbox);
    let late = Arc::new(AtomicUsize::new(0));
    (0..3).for_each(|_| mailbox.insist(told(&late)));
    for taken in 0..MAILBOX_LETTERS_MAX {
        assert!(mailbox.take().is_some() && late.load(Ordering::SeqCst) == 0, "{taken}");
        assert!(mailbox.post(order()).is_err(), "not before those that came first");
    }
    for taken in 1..=3 {
        drop(mailbox.take());
        assert_eq!(late.load(Ordering::SeqCst), taken);
    }
    assert!(mailbox.is_empty() && !mailbox.is_standing());
    assert!(mailbox.post(order()).is_ok());
}

#[test]
fn a_core_with_too_many_orders_stands_still_until_it_moves() {
    let mailbox = Mailbox::new(MailLimits::default());
    let ends = Arc::new(AtomicUsize::new(0));
    (0..MAILBOX_LETTERS_MAX + ORDERS_WAITING_MAX + 1).for_each(|_| mailbox.insist(told(&ends)));
    assert!(mailbox.is_standing());
    assert_eq!(
        ends.load(Ordering::SeqCst),
        MAILBOX_LETTERS_MAX + ORDERS_WAITING_MAX + 1,
        "nobody waits for it"
    );
    assert!(mailbox.post(told(&ends)).is_ok() && mailbox.take().is_none(), "nobody is held up by it");
    mailbox.move_again();
    assert!(!mailbox.is_standing() && mailbox.is_empty());
    fill(&mailbox);
    assert_eq!(count(&mailbox), MAILBOX_LETTERS_MAX, "all places are there again");
}

/// Clients of other cores cannot take all places.
#[test]
fn a_quarter_is_for_threads_that_are_no_cores() {
    let mailbox = Mailbox::new(MailLimits { letters_max: 100, ..MailLimits::default() });
    (0..75).for_each(|_| assert!(mailbox.post_of_core(order()).is_ok()));
    assert!(mailbox.post_of_core(order()).is_err());
    (0..25).for_each(|_| assert!(mailbox.post(order()).is_ok()));
    assert!(mailbox.post(order()).is_err());
    assert_eq!(count(&mailbox), 100);
}

/// A core that takes something while orders wait is behind, and no more.
#[test]
fn a_core_that_takes_orders_does_not_stand_still() {
    let limits = MailLimits { letters_max: 10, orders_waiting_max: 5, ..MailLimits::default() };
    let mailbox = Mailbox::new(limits);
    (0..12).for_each(|_| mailbox.insist(order()));
    assert!(mailbox.take().is_some());
    (0..5 * ORDERS_BEHIND - 2).for_each(|_| mailbox.insist(order()));
    assert!(!mailbox.is_standing());
    mailbox.insist(order());
    assert!(mailbox.is_standing(), "sixteen times as many are too many");
}
