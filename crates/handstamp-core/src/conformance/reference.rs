//! What the engine is compared with: the same promises in a few lines, without tokens, stores,
//! versions or caches. Time is in seconds.

use std::collections::BTreeMap;

use super::operations::{ABSOLUTE, Head, IDLE, LIMIT, Standing};

#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    pub(super) subject: Option<usize>,
    pub(super) epoch: u32,
    pub(super) roles: Vec<&'static str>,
    pub(super) data: BTreeMap<&'static str, u64>,
    pub(super) flash: Vec<u64>,
    pub(super) begun: u64,
    pub(super) seen: u64,
    pub(super) is_suspended: bool,
    /// Its tombstone is written.
    pub(super) is_buried: bool,
    pub(super) generation: usize,
    pub(super) rotated: u64,
    pub(super) attempt: Option<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Reference {
    pub(super) now: u64,
    pub(super) heads: [Head; 2],
    pub(super) sessions: Vec<Session>,
}

impl Reference {
    pub(super) fn standing(&self, n: usize) -> Standing {
        let it = &self.sessions[n];
        let head = it.subject.map(|subject| &self.heads[subject]);
        let is_due = self.now >= it.seen + IDLE || self.now >= it.begun + ABSOLUTE;
        match head {
            _ if it.is_buried || is_due => Standing::Over,
            Some(head) if head.is_disabled || head.epoch != it.epoch => Standing::Over,
            _ if it.is_suspended => Standing::Suspended,
            _ => Standing::Live,
        }
    }

    /// Sessions of `subject` that count against its limit: those without a tombstone.
    pub(super) fn counted(&self, subject: usize) -> Vec<usize> {
        let epoch = self.heads[subject].epoch;
        let is_theirs = |it: &Session| it.subject == Some(subject) && it.epoch == epoch;
        let is_counted = |n: &usize| is_theirs(&self.sessions[*n]) && !self.sessions[*n].is_buried;
        (0..self.sessions.len()).filter(is_counted).collect()
    }

    /// A session begins and takes over from `old`; the oldest make room. `None` when disabled.
    pub(super) fn begin(
        &mut self,
        subject: Option<usize>,
        roles: Vec<&'static str>,
        old: Option<usize>,
    ) -> Option<usize> {
        let mut new = Session { subject, roles, generation: 1, ..Session::default() };
        (new.begun, new.seen, new.rotated) = (self.now, self.now, self.now);
        if let Some(old) = old.map(|old| &self.sessions[old])
            && (old.subject.is_none() || old.subject == subject)
        {
            (new.data, new.flash) = (old.data.clone(), old.flash.clone());
        }
        if let Some(subject) = subject {
            new.epoch = (!self.heads[subject].is_disabled).then_some(self.heads[subject].epoch)?;
        }
        old.into_iter().for_each(|old| self.sessions[old].is_buried = true);
        if let Some(subject) = subject {
            while self.counted(subject).len() >= LIMIT {
                let counted = self.counted(subject);
                let over = counted.iter().rev().find(|n| self.standing(**n) == Standing::Over);
                let first = *over.unwrap_or(&counted[0]);
                self.sessions[first].is_buried = true;
            }
        }
        self.sessions.push(new);
        Some(self.sessions.len() - 1)
    }

    pub(super) fn end_all(&mut self, subject: usize, spared: Option<usize>) {
        let spared = spared.filter(|n| self.standing(*n) == Standing::Live);
        self.heads[subject].epoch += 1;
        for (n, it) in self.sessions.iter_mut().enumerate().filter(|(_, it)| !it.is_buried) {
            if Some(n) == spared {
                it.epoch = self.heads[subject].epoch;
            } else if it.subject == Some(subject) {
                it.is_buried = true;
            }
        }
    }

    /// A refresh token of this generation comes; the generation that is served.
    pub(super) fn refresh(&mut self, n: usize, of: usize, attempt: Option<usize>) -> Option<usize> {
        let (standing, now) = (self.standing(n), self.now);
        let it = &mut self.sessions[n];
        let is_previous = of + 1 == it.generation;
        let is_recent = now - it.rotated <= 30;
        let is_retry = attempt.is_some() && attempt == it.attempt && now - it.rotated <= 3600;
        match standing {
            Standing::Over | Standing::Suspended => return None,
            Standing::Live if of == it.generation => {
                (it.generation, it.rotated, it.attempt) = (of + 1, now, attempt);
            }
            Standing::Live if is_previous && (is_recent || is_retry) => {}
            Standing::Live => it.is_buried = true,
        }
        (!it.is_buried).then_some(it.generation)
    }
}
