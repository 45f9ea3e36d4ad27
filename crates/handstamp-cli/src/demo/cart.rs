//! What a visitor means to buy: kept in the session, before and after the sign-in.

use serde::{Deserialize, Serialize};

use super::shop::{self, Cents, Product};

/// The key of the cart in the session's data.
pub(super) const KEY: &str = "cart";

/// The most of one thing that a cart holds.
pub(super) const MOST: u32 = 9;

/// How many of what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cart {
    lines: Vec<Line>,
}

/// So many of one product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    product: String,
    count: u32,
}

/// A line of a cart beside the product it names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub(super) product: &'static Product,
    pub(super) count: u32,
}

impl Item {
    /// What these cost together.
    pub(super) fn price(&self) -> Cents {
        self.product.price.times(self.count)
    }
}

impl Cart {
    /// One more of `slug`, up to [`MOST`].
    pub(super) fn add(&mut self, slug: &str) {
        self.set(slug, self.count_of(slug) + 1);
    }

    /// Exactly `count` of `slug`, up to [`MOST`]; none removes the line.
    pub(super) fn set(&mut self, slug: &str, count: u32) {
        let count = count.min(MOST);
        match self.lines.iter_mut().find(|line| line.product == slug) {
            Some(line) => line.count = count,
            None => self.lines.push(Line { product: slug.into(), count }),
        }
        self.lines.retain(|line| line.count > 0);
    }

    fn count_of(&self, slug: &str) -> u32 {
        self.lines.iter().find(|line| line.product == slug).map_or(0, |line| line.count)
    }

    /// Its lines, of what the shop still sells.
    pub(super) fn items(&self) -> Vec<Item> {
        let item =
            |line: &Line| Some(Item { product: shop::find(&line.product)?, count: line.count });
        self.lines.iter().filter_map(item).collect()
    }

    /// How many things.
    pub(super) fn count(&self) -> u32 {
        self.items().iter().map(|item| item.count).sum()
    }

    /// What it costs.
    pub(super) fn total(&self) -> Cents {
        self.items().iter().map(Item::price).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cart_counts_and_adds_up() {
        let mut cart = Cart::default();
        cart.add("night-fair");
        cart.add("night-fair");
        cart.add("moth-pin");
        assert_eq!(cart.count(), 3);
        assert_eq!(cart.total().to_string(), "€54.00");
    }

    #[test]
    fn a_line_set_to_none_is_gone_and_one_set_too_high_is_capped() {
        let mut cart = Cart::default();
        cart.set("moth-pin", 4_000_000_000);
        assert_eq!(cart.count(), MOST);
        cart.set("moth-pin", 0);
        assert_eq!(cart, Cart::default());
    }

    #[test]
    fn what_the_shop_no_longer_sells_is_not_charged() {
        let mut cart = Cart::default();
        cart.add("a-thing-of-last-year");
        assert_eq!((cart.count(), cart.total().to_string()), (0, "€0.00".into()));
    }
}
