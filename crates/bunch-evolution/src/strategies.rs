//! The list of strategies.
//!
//! To add one: write `strategies/<name>.rs` (copy a short one) and add its line to the list. The key in experiments, its
//! strict parsing, the plan, the estimate of its cost, its addresses and its name for `bunch evolve` follow from that.

use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};

use crate::strategy::{ByOptions, Strategy};

macro_rules! strategies {
    ($($module:ident: $name:ident($settings:ident),)+) => {
        $(pub(crate) mod $module;)+

        /// Any strategy with its settings, as in the TOML line `strategy.member = 0`.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum AnyStrategy {
            $(
                #[doc = concat!("See `strategies/", stringify!($module), ".rs`.")]
                $name($module::$settings),
            )+
        }

        impl AnyStrategy {
            /// All strategies by name, each with what it takes from the options of a command; none where no options choose it.
            pub const BY_OPTIONS: &[(&str, Option<ByOptions>)] =
                &[$((stringify!($module), $module::$settings::BY_OPTIONS)),+];
        }

        impl Deref for AnyStrategy {
            type Target = dyn Strategy;

            fn deref(&self) -> &Self::Target {
                match self { $(Self::$name(strategy) => strategy,)+ }
            }
        }

        impl DerefMut for AnyStrategy {
            fn deref_mut(&mut self) -> &mut Self::Target {
                match self { $(Self::$name(strategy) => strategy,)+ }
            }
        }
    };
}

strategies! {
    member: Member(UnchangedMember),
    fixed: Fixed(FixedMerge),
    grid: Grid(GridSearch),
    evomm: Evomm(EvommSearch),
    random: Random(RandomSearch),
    front: Front(FrontSearch),
    lm_cocktail: LmCocktail(LikelihoodWeights),
    preference: Preference(PreferenceTuning),
    best: Best(BestOf),
}

#[cfg(test)]
mod tests;
