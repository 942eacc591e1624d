//! Tasks of an experiment of the miniature, none of which is carried out.

use std::path::Path;

use super::*;
use crate::planning::cells::cells;
use crate::planning::run::Options;

/// A run of a committed experiment with test sets of four.
fn run(name: &str, folder: &Path) -> Run {
    let options = Options {
        scale: "miniature".into(),
        seeds: Some(vec![0, 1]),
        device: "flex".into(),
        jobs: Some(2),
        limit: Some(4),
        fresh: false,
        overwrite: false,
        cache: folder.join("cache"),
        results: folder.join("results"),
        models: folder.join("models"),
        data: folder.join("data"),
        command_line: Vec::new(),
    };
    Run::new(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."), name, options).unwrap()
}

/// The tasks for all cells of an experiment.
fn tasks(run: &Run) -> Vec<PlannedTask> {
    let seed_pools = run.seed_pools().unwrap();
    let plans = cells(&run.experiment, &run.scale, &seed_pools).unwrap();
    run.tasks(&seed_pools, &plans.iter().collect::<Vec<_>>()).unwrap()
}

fn kind(planned: &PlannedTask) -> usize {
    match planned.task {
        Task::Train { .. } => 0,
        Task::Generate { .. } => 1,
        Task::Cell { .. } => 2,
    }
}

#[test]
fn every_input_is_made_by_an_earlier_task() {
    let folder = tempfile::tempdir().unwrap();
    let tasks = tasks(&run("hammoud2024/table-4", folder.path()));
    let mut made = BTreeSet::new();
    for planned in &tasks {
        assert!(planned.inputs.is_subset(&made), "{}: {:?}", planned.task, planned.inputs);
        assert!(made.insert(planned.output.clone()), "{}: something else makes its output", planned.task);
    }
    assert!(tasks.is_sorted_by_key(kind), "models, data, cells");
    for (index, after) in dependencies(&tasks).into_iter().enumerate() {
        assert!(after.iter().all(|&before| before < index));
        assert_eq!(after.len(), tasks[index].inputs.len());
    }
}

#[test]
fn an_input_that_no_task_makes_is_there_already() {
    let address = |hash: &str| Address::Model(hash.into());
    let planned = |inputs: &[&str], output: &str| PlannedTask {
        task: Task::Train { model: output.into(), seed: 0 },
        inputs: inputs.iter().map(|input| address(input)).collect(),
        output: address(output),
    };
    let tasks = [planned(&["cached"], "a"), planned(&["a", "cached"], "b"), planned(&["a", "b"], "c")];
    assert_eq!(dependencies(&tasks), [vec![], vec![0], vec![0, 1]]);
}

#[test]
fn blocks_with_the_same_data_generate_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = run("hammoud2024/table-4", folder.path());
    let count = |run: &Run| {
        tasks(run).iter().map(kind).fold([0; 3], |mut counts, kind| {
            counts[kind] += 1;
            counts
        })
    };
    let [models, data, cells] = count(&run);
    assert!(data > 0);
    let twin = Block { name: "twin".into(), ..run.experiment.blocks[0].clone() };
    let rows = run.experiment.rows.iter().filter(|row| twin.has_row(&row.name)).count();
    run.experiment.blocks.push(twin);
    assert_eq!(count(&run), [models, data, cells + rows * 2]);
}

#[test]
fn tasks_are_data() {
    let tasks = [
        (
            Task::Train { model: "guard".into(), seed: 1 },
            r#"{"train":{"model":"guard","seed":1}}"#,
            "train guard seed 1",
        ),
        (
            Task::Generate { block: "bio".into(), pairs: 2, source: Source::Real, seed: 0 },
            r#"{"generate":{"block":"bio","pairs":2,"source":"real","seed":0}}"#,
            "generate data of bio seed 0",
        ),
        (
            Task::Cell { block: "bio".into(), row: "ties".into(), seed: 3 },
            r#"{"cell":{"block":"bio","row":"ties","seed":3}}"#,
            "bio/ties seed 3",
        ),
    ];
    for (task, text, name) in tasks {
        assert_eq!(serde_json::to_string(&task).unwrap(), text);
        assert_eq!(serde_json::from_str::<Task>(text).unwrap(), task);
        assert_eq!(task.to_string(), name);
    }
}

#[test]
fn a_task_costs_what_is_left_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let run = run("hammoud2024/table-4", folder.path());
    let seed_pools = run.seed_pools().unwrap();
    let seed_pool = &seed_pools[0];
    let Costs { step, data, evaluation, .. } = seed_pool.costs();
    let cost = |task: &Task, is_made| run.cost(task, seed_pool, is_made).unwrap();
    let train = Task::Train { model: GUARD.into(), seed: 0 };
    assert_eq!(
        (cost(&train, false), cost(&train, true)),
        (seed_pool.zoo.member(GUARD).unwrap().steps() as u64 * step, 1)
    );
    let block = run.experiment.blocks[0].name.clone();
    let generate = |pairs| Task::Generate { block: block.clone(), pairs, source: Source::Generated, seed: 0 };
    let (half, whole) = (cost(&generate(run.scale.pairs / 2), false), cost(&generate(run.scale.pairs), false));
    assert_eq!((half * 2, whole, cost(&generate(8), true)), (data, data, 1));
    let row = run.experiment.rows[0].name.clone();
    let cell = Task::Cell { block, row, seed: 0 };
    assert_eq!(cost(&cell, true), evaluation);
    assert!(cost(&cell, false) >= evaluation);
}
