//! The forms of one packet: as it was encoded, and as some of its recipients need it, each made once at its first need.
//!
//! Not the encoder: every form is made from the frames of Engine.IO 4. Those of Engine.IO 3 differ in binary frames alone, so a packet of text has one form
//! for both; and compression is of frames, so it works for both.

use socketville_proto::eio::{Revision, v3};
use socketville_proto::http::Head;
use socketville_proto::ws::Window;

use crate::deflate::Press;
use crate::poll_buffer::asks_for_base64;
use crate::{Counters, Outbox, Range};

/// How frames to a connection are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Framing {
    V4,
    /// Binary frames begin with their type.
    V3,
    /// Binary messages are text.
    V3Base64,
}

/// In which form a connection gets packets: its framing, and the window of its compression. One byte, for it lies in every lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Form {
    /// As they were encoded.
    Plain,
    DeflatedFull,
    DeflatedSmall,
    V3,
    V3DeflatedFull,
    V3DeflatedSmall,
    /// Never compressed: whoever cannot take binary cannot inflate either.
    V3Base64,
}

const _: () = assert!(size_of::<Form>() == 1);

/// Forms other than [`Form::Plain`].
const OTHERS: usize = Form::V3Base64 as usize;

/// The forms of one packet that recipients needed so far.
pub(crate) struct Forms {
    plain: Range,
    others: [Option<Range>; OTHERS],
}

impl Framing {
    /// What the request that opens a WebSocket asks for.
    pub(crate) fn of(revision: Revision, head: &Head<'_>) -> Self {
        match revision {
            Revision::V4 => Self::V4,
            Revision::V3 if asks_for_base64(head) => Self::V3Base64,
            Revision::V3 => Self::V3,
        }
    }

    pub(crate) const fn revision(self) -> Revision {
        match self {
            Self::V4 => Revision::V4,
            Self::V3 | Self::V3Base64 => Revision::V3,
        }
    }
}

impl Form {
    pub(crate) const fn new(framing: Framing, window: Option<Window>) -> Self {
        match (framing, window) {
            (Framing::V4, None) => Self::Plain,
            (Framing::V4, Some(Window::Full)) => Self::DeflatedFull,
            (Framing::V4, Some(Window::Small)) => Self::DeflatedSmall,
            (Framing::V3, None) => Self::V3,
            (Framing::V3, Some(Window::Full)) => Self::V3DeflatedFull,
            (Framing::V3, Some(Window::Small)) => Self::V3DeflatedSmall,
            (Framing::V3Base64, _) => Self::V3Base64,
        }
    }

    /// What compressed frames must keep to, if there are any.
    pub(crate) const fn window(self) -> Option<Window> {
        match self {
            Self::Plain | Self::V3 | Self::V3Base64 => None,
            Self::DeflatedFull | Self::V3DeflatedFull => Some(Window::Full),
            Self::DeflatedSmall | Self::V3DeflatedSmall => Some(Window::Small),
        }
    }

    /// The same without compression.
    const fn uncompressed(self) -> Self {
        match self {
            Self::Plain | Self::DeflatedFull | Self::DeflatedSmall => Self::Plain,
            Self::V3 | Self::V3DeflatedFull | Self::V3DeflatedSmall => Self::V3,
            Self::V3Base64 => Self::V3Base64,
        }
    }
}

impl Forms {
    pub(crate) const fn new(plain: Range) -> Self {
        Self { plain, others: [None; OTHERS] }
    }

    /// The packet in a form, made if it is the first; without a press it is not compressed.
    #[inline]
    pub(crate) fn of(
        &mut self,
        form: Form,
        press: Option<&mut Press>,
        outbox: &mut Outbox,
        counters: &mut Counters,
    ) -> Range {
        if form == Form::Plain {
            return self.plain;
        }
        let form = if press.is_some() { form } else { form.uncompressed() };
        match self.known(form) {
            Some(range) => range,
            None => self.make(form, press, outbox, counters),
        }
    }

    #[inline]
    fn known(&self, form: Form) -> Option<Range> {
        match (form as usize).checked_sub(1) {
            Some(other) => self.others[other],
            None => Some(self.plain),
        }
    }

    #[inline(never)]
    fn make(
        &mut self,
        form: Form,
        press: Option<&mut Press>,
        outbox: &mut Outbox,
        counters: &mut Counters,
    ) -> Range {
        let range = match (form.window(), press) {
            (Some(window), Some(press)) => {
                let source = self.of(form.uncompressed(), None, outbox, counters);
                match source == self.plain && form.uncompressed() != Form::Plain {
                    true => self.of(Form::new(Framing::V4, Some(window)), Some(press), outbox, counters),
                    false => press.press(outbox, counters, source, window),
                }
            }
            _ if !v3::has_binary(outbox.bytes(self.plain)) => self.plain,
            _ => {
                counters.encodes_v3 += 1;
                let write = if form == Form::V3Base64 { v3::write_base64_frames } else { v3::write_frames };
                outbox.write_form(self.plain, |frames, out| write(out, frames))
            }
        };
        if let Some(other) = (form as usize).checked_sub(1) {
            self.others[other] = Some(range);
        }
        range
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMS: [(Framing, Option<Window>, Form); 7] = [
        (Framing::V4, None, Form::Plain),
        (Framing::V4, Some(Window::Full), Form::DeflatedFull),
        (Framing::V4, Some(Window::Small), Form::DeflatedSmall),
        (Framing::V3, None, Form::V3),
        (Framing::V3, Some(Window::Full), Form::V3DeflatedFull),
        (Framing::V3, Some(Window::Small), Form::V3DeflatedSmall),
        (Framing::V3Base64, None, Form::V3Base64),
    ];

    #[test]
    fn a_form_is_a_framing_and_a_window() {
        for (framing, window, form) in FORMS {
            assert_eq!(Form::new(framing, window), form);
            assert_eq!(form.window(), window);
            assert_eq!(form.uncompressed(), Form::new(framing, None));
        }
    }

    /// A packet of text has the same range in both revisions, so that it merges with its neighbours in every lane.
    #[test]
    fn text_is_one_form() {
        let (mut outbox, mut counters) = (Outbox::with_backlogs(0), Counters::default());
        let range = outbox.write(|arena| arena.extend_from_slice(b"\x81\x014"));
        let mut forms = Forms::new(range);
        for (_, _, form) in FORMS {
            assert_eq!(forms.of(form, None, &mut outbox, &mut counters), range);
        }
        assert_eq!(counters.encodes_v3, 0);
    }

    #[test]
    fn each_form_is_made_once() {
        let (mut outbox, mut counters) = (Outbox::with_backlogs(0), Counters::default());
        let range = outbox.write(|arena| arena.extend_from_slice(b"\x82\x01\x09"));
        let mut forms = Forms::new(range);
        for _ in 0..3 {
            let typed = forms.of(Form::V3, None, &mut outbox, &mut counters);
            assert_eq!(outbox.bytes(typed), b"\x82\x02\x04\x09");
            let base64 = forms.of(Form::V3Base64, None, &mut outbox, &mut counters);
            assert_eq!(outbox.bytes(base64), b"\x81\x06b4CQ==");
            assert_eq!(forms.of(Form::V3DeflatedFull, None, &mut outbox, &mut counters), typed);
        }
        assert_eq!(counters.encodes_v3, 2);
    }
}
