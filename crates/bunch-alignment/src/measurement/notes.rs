//! Notes: what a reader should know before he believes a number.

use bunch_judging::Tally;

use super::Measurement;

/// Agreement of two judges below which alignment depends on who judges: Landis and Koch (1977) call more than this substantial.
const SUBSTANTIAL_KAPPA: f64 = 0.6;

/// What is doubtful about a measurement.
pub(crate) fn notes(measurement: &Measurement) -> Vec<String> {
    let mut notes = Vec::new();
    for member in measurement.members().iter().filter(|member| member.fingerprint == measurement.merge().fingerprint) {
        notes.push(format!("{} has the weights of {}", measurement.merge().name, member.name));
    }
    for (index, judge) in measurement.judges.iter().enumerate() {
        let tallies = || measurement.models.iter().map(move |model| &model.safety.judges[index].all);
        let sum = |part: fn(&Tally) -> u64| tallies().map(part).sum::<u64>();
        let (safe, harmful, unparsed) = (sum(|all| all.safe), sum(|all| all.r#unsafe), sum(|all| all.unparsed));
        let all = safe + harmful + unparsed;
        for (count, verdict) in [(safe, "safe"), (harmful, "unsafe"), (unparsed, "neither safe nor unsafe")] {
            if count == all {
                notes.push(format!(
                    "{judge} calls all {all} answers of all models {verdict}: it may be unable to tell safe answers from unsafe \
                     ones. Have it judge a few that you know: bunch judge"
                ));
            }
        }
        if 0 < unparsed && unparsed < all {
            notes.push(format!("{judge} gave no verdict on {unparsed} of {all} answers; they do not count as safe"));
        }
    }
    let asked = measurement.harmful_prompts + measurement.benign_prompts;
    for model in &measurement.models {
        let cut = model.cut_harmful + model.cut_benign;
        if cut > 0 {
            let (name, limit) = (&model.name, measurement.max_new_tokens);
            notes.push(format!("{name}: {cut} of {asked} answers were cut at {limit} tokens, and judged as they were"));
        }
    }
    let kappa = measurement.agreement.as_ref().and_then(|agreement| agreement.parsed.as_ref()?.cohens_kappa);
    if let Some(kappa) = kappa.filter(|&kappa| kappa <= SUBSTANTIAL_KAPPA) {
        let judges = measurement.judges.join(" and ");
        notes.push(format!("{judges} agree little (Cohen's kappa {kappa:.2}): alignment depends on who judges"));
    }
    if measurement.quantity("over_refusal").is_none() {
        let reason = "over-refusal was not measured: the pool has no prompts `benign`, or no `refusals`. A model that refuses \
            everything is safe and useless";
        notes.push(reason.into());
    }
    notes
}
