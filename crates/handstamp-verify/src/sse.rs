//! Server-sent events, read from a stream of bytes (HTML standard, §9.2).

/// How large one event may be, in bytes; without a bound a broken service fills our memory.
pub(crate) const MAX_EVENT: usize = 4 * 1024 * 1024;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Event {
    /// The `event:` line; `message` without one.
    pub(crate) name: String,
    /// The last `id:` line, of this event or of one before it.
    pub(crate) id: String,
    /// The `data:` lines, with a line end between them.
    pub(crate) data: String,
}

/// The stream is not what it should be. Nothing more of it is to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SseError {
    /// An event larger than [`MAX_EVENT`].
    #[error("an event of the feed is too large")]
    TooLarge,
    /// Bytes that are no text.
    #[error("the feed is not UTF-8")]
    NotText,
}

/// Puts events together from the pieces that arrive.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    name: String,
    id: String,
    data: String,
    has_data: bool,
    /// A line ended in CR, so an LF that follows belongs to that end.
    after_cr: bool,
    has_begun: bool,
}

impl Parser {
    /// The events that `bytes` complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, SseError> {
        let mut events = Vec::new();
        for &byte in bytes {
            let is_rest_of_end = self.after_cr && byte == b'\n';
            self.after_cr = byte == b'\r';
            match byte {
                b'\n' if is_rest_of_end => {}
                b'\n' | b'\r' => events.extend(self.end_line()?),
                _ => self.line.push(byte),
            }
            if self.line.len() + self.data.len() > MAX_EVENT {
                return Err(SseError::TooLarge);
            }
        }
        Ok(events)
    }

    fn end_line(&mut self) -> Result<Option<Event>, SseError> {
        let line = std::mem::take(&mut self.line);
        let line = std::str::from_utf8(&line).map_err(|_| SseError::NotText)?;
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let line = line.strip_prefix('\u{feff}').filter(|_| is_first).unwrap_or(line);
        if line.is_empty() {
            return Ok(self.dispatch());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        self.take(field, value.strip_prefix(' ').unwrap_or(value));
        Ok(None)
    }

    fn take(&mut self, field: &str, value: &str) {
        match field {
            "event" => value.clone_into(&mut self.name),
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            "data" => {
                if self.has_data {
                    self.data.push('\n');
                }
                self.data.push_str(value);
                self.has_data = true;
            }
            // Comments, `retry` and what later versions may add.
            _ => {}
        }
    }

    fn dispatch(&mut self) -> Option<Event> {
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        let name = if name.is_empty() { "message".to_owned() } else { name };
        let event = Event { name, id: self.id.clone(), data };
        std::mem::take(&mut self.has_data).then_some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<Event> {
        Parser::default().push(text.as_bytes()).unwrap()
    }

    fn event(name: &str, id: &str, data: &str) -> Event {
        Event { name: name.into(), id: id.into(), data: data.into() }
    }

    const STREAM: &str = "\u{feff}: hello\nretry: 5\n\nevent: lines\nid: 1\ndata: a\ndata:b\n\n\
                          data\n\nevent: none\n\ndata: c\n\nid: 2\ndata: \u{e9}\n\ndata: cut off";

    fn expected() -> Vec<Event> {
        vec![
            event("lines", "1", "a\nb"),
            event("message", "1", ""),
            event("message", "1", "c"),
            event("message", "2", "\u{e9}"),
        ]
    }

    #[test]
    fn a_stream_is_read_as_the_standard_says() {
        assert_eq!(parse(STREAM), expected());
    }

    #[test]
    fn every_line_end_is_one_line_end() {
        assert_eq!(parse(&STREAM.replace('\n', "\r\n")), expected());
        assert_eq!(parse(&STREAM.replace('\n', "\r")), expected());
    }

    #[test]
    fn pieces_may_be_cut_anywhere() {
        let text = STREAM.replace('\n', "\r\n");
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let pieces = text.as_bytes().chunks(size);
            let events: Vec<_> = pieces.flat_map(|piece| parser.push(piece).unwrap()).collect();
            assert_eq!(events, expected(), "pieces of {size}");
        }
    }

    #[test]
    fn an_event_without_an_end_has_an_end() {
        let mut parser = Parser::default();
        let line = "data: ".to_owned() + &"x".repeat(1024 * 1024) + "\n";
        let result = (0..5).try_for_each(|_| parser.push(line.as_bytes()).map(|_| ()));
        assert_eq!(result, Err(SseError::TooLarge));
    }

    #[test]
    fn what_is_no_text_is_an_error() {
        assert_eq!(Parser::default().push(b"data: \xff\n"), Err(SseError::NotText));
    }
}
