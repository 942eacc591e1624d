//! The list of merge methods.
//!
//! To add one: write `methods/<name>.rs` (copy a short one), then add its `mod` line, where rustfmt sorts it, and its entry
//! at the end of the list, both here. The configuration, its schema, the catalogue, the documentation page and the law tests
//! follow from the list.

mod arcee_fusion;
mod breadcrumbs;
mod dare;
mod della;
mod fisher;
mod karcher;
mod lata;
mod led;
mod linear;
mod lssf;
mod mergealign;
mod model_stock;
mod multislerp;
mod nearswap;
mod nuslerp;
mod passthrough;
mod ram;
mod ramplus_tl;
mod resta;
mod safe_lora;
mod safe_merge;
mod sce;
mod slerp;
mod task_arithmetic;
mod ties;

/// Calls a macro with all methods: file, type, and name in configurations.
macro_rules! each_method {
    ($callback:ident) => {
        $callback! {
            linear::Linear as linear,
            task_arithmetic::TaskArithmetic as task_arithmetic,
            ties::Ties as ties,
            dare::DareLinear as dare_linear,
            dare::DareTies as dare_ties,
            slerp::Slerp as slerp,
            nuslerp::Nuslerp as nuslerp,
            multislerp::Multislerp as multislerp,
            karcher::Karcher as karcher,
            nearswap::Nearswap as nearswap,
            passthrough::Passthrough as passthrough,
            model_stock::ModelStock as model_stock,
            mergealign::Mergealign as mergealign,
            breadcrumbs::Breadcrumbs as breadcrumbs,
            breadcrumbs::BreadcrumbsTies as breadcrumbs_ties,
            della::Della as della,
            della::DellaLinear as della_linear,
            sce::Sce as sce,
            ram::Ram as ram,
            ramplus_tl::RamplusTl as ramplus_tl,
            arcee_fusion::ArceeFusion as arcee_fusion,
            safe_lora::SafeLora as safe_lora,
            safe_merge::SafeMerge as safe_merge,
            resta::Resta as resta,
            lata::Lata as lata,
            lssf::Lssf as lssf,
            fisher::Fisher as fisher,
            led::Led as led,
        }
    };
}
pub(crate) use each_method;

macro_rules! export {
    ($($module:ident::$name:ident as $tag:ident,)+) => {
        $(pub use $module::$name;)+
    };
}
each_method!(export);
