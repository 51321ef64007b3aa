//! A table that grows a page at a time: an entry never moves, so growing copies nothing.
//!
//! Not a slab: places are given by others (the kernel's slots, [`crate::table`]). A vector that doubles holds its old half and its new
//! whole at the same moment, and allocators keep what it leaves behind: with 20 000 connections that was a third of all memory; and
//! the one connection that makes it double waits for the copy. A page costs one more load, from a list that lies in the
//! first-level cache.

/// Entries of a page: enough that the list of pages stays short, few enough that one page is no burden to a small server.
const PAGE: usize = 1 << PAGE_BITS;
const PAGE_BITS: u32 = 9;

/// Entries by their places, from 0. Pages are whole: behind the last entry there are vacant ones, the type's defaults.
#[derive(Debug)]
pub struct Pages<T> {
    pages: Vec<Box<[T; PAGE]>>,
    len: usize,
}

impl<T: Default> Default for Pages<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Pages<T> {
    /// None.
    pub const fn new() -> Self {
        Self { pages: Vec::new(), len: 0 }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// The entry in a place; a vacant one behind the last, `None` behind its page.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&T> {
        let (page, at) = place(index);
        Some(&self.pages.get(page)?[at])
    }

    /// The same, to change it.
    #[inline]
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        let (page, at) = place(index);
        Some(&mut self.pages.get_mut(page)?[at])
    }

    /// All, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flat_map(|page| page.iter()).take(self.len)
    }

    pub(crate) fn swap(&mut self, a: usize, b: usize) {
        let ((page_a, a), (page_b, b)) = (place(a), place(b));
        match self.pages.get_disjoint_mut([page_a, page_b]) {
            Ok([first, second]) => std::mem::swap(&mut first[a], &mut second[b]),
            Err(_) => self.pages[page_a].swap(a, b),
        }
    }
}

impl<T: Default> Pages<T> {
    /// Adds an entry in the next place.
    pub fn push(&mut self, value: T) {
        let index = self.len;
        self.reach(index);
        self[index] = value;
    }

    /// Takes the last entry. One page more than needed stays, so that who goes to and fro over its edge pays for it once.
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        let last = self.len;
        let value = std::mem::take(&mut self[last]);
        self.pages.truncate(place(last).0 + 2);
        Some(value)
    }

    /// Makes sure that there is an entry in this place.
    pub fn reach(&mut self, index: usize) {
        self.len = self.len.max(index + 1);
        while self.pages.len() <= place(index).0 {
            self.pages.push(vacant_page());
        }
    }
}

fn vacant_page<T: Default>() -> Box<[T; PAGE]> {
    let page: Box<[T]> = std::iter::repeat_with(T::default).take(PAGE).collect();
    page.try_into().unwrap_or_else(|_| unreachable!("as many as a page has"))
}

/// The page of an entry, and where it stands there.
#[inline]
const fn place(index: usize) -> (usize, usize) {
    (index >> PAGE_BITS, index & (PAGE - 1))
}

impl<T> std::ops::Index<usize> for Pages<T> {
    type Output = T;

    #[inline]
    fn index(&self, index: usize) -> &T {
        let (page, at) = place(index);
        &self.pages[page][at]
    }
}

impl<T> std::ops::IndexMut<usize> for Pages<T> {
    #[inline]
    fn index_mut(&mut self, index: usize) -> &mut T {
        let (page, at) = place(index);
        &mut self.pages[page][at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_a_vector() {
        let (mut pages, mut twin) = (Pages::new(), Vec::new());
        for i in 0..PAGE * 2 + 3 {
            assert_eq!(pages.len(), twin.len());
            pages.push(i);
            twin.push(i);
        }
        assert!(pages.iter().eq(twin.iter()));
        for index in [0, PAGE - 1, PAGE, PAGE * 2 + 2, PAGE * 9] {
            assert_eq!(pages.get(index), twin.get(index));
        }
        assert_eq!(pages.get(PAGE * 2 + 3), Some(&0), "vacant");
        pages[PAGE] = 7;
        assert_eq!(pages.get_mut(PAGE), Some(&mut 7));
    }

    #[test]
    fn entries_are_swapped_and_taken_across_pages() {
        let (mut pages, mut twin) = (Pages::new(), Vec::new());
        pages.reach(PAGE);
        twin.resize(PAGE + 1, 0);
        for (a, b) in [(0, PAGE), (1, 2), (PAGE, 3), (4, 4)] {
            (pages[a], twin[a]) = (a + 1, a + 1);
            pages.swap(a, b);
            twin.swap(a, b);
        }
        assert!(pages.iter().eq(twin.iter()));
        while let Some(last) = twin.pop() {
            assert_eq!(pages.pop(), Some(last));
            assert_eq!(pages.len(), twin.len());
        }
        assert_eq!(pages.pop(), None);
        pages.push(9);
        assert_eq!(pages[0], 9);
    }

    #[test]
    fn an_entry_never_moves() {
        let mut pages = Pages::new();
        pages.push(1);
        let before = std::ptr::from_ref(&pages[0]);
        pages.reach(PAGE * 3);
        assert_eq!(std::ptr::from_ref(&pages[0]), before);
        assert_eq!(pages.len(), PAGE * 3 + 1);
        pages.reach(5);
        assert_eq!(pages.len(), PAGE * 3 + 1);
    }
}
