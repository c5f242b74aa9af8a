//! `hearth gluster`: the volume that two nodes share, made, mounted and judged.
//!
//! `apply` does what `plan` shows, one step after the other, and looks again after each: what is there is left alone.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::time::sleep;

use super::print;
use crate::cli::{GlusterCheckArgs, GlusterCommand, GlusterUnitsArgs, VolumeArgs};
use crate::config::gluster::{default_mount, default_volume};
use crate::config::{self, Config, Secrets};
use crate::gluster::health::{Health, Verdict, judge};
use crate::gluster::plan::{Plan, Step, UNITS, plan};
use crate::gluster::{GlusterSettings, Host, ask, units};

/// `plan` found something to do.
const WOULD_CHANGE: u8 = 2;

/// So often a step is tried: a machine that has just joined is not ready at once.
const TRIES: u32 = 8;

/// Between two tries, and between two looks at what is waited for.
const PAUSE: Duration = Duration::from_secs(2);

/// No plan has more steps and waits than this.
const MOST_ROUNDS: usize = 100;

/// Plans, applies, checks or writes units.
///
/// # Errors
/// When the configuration is wrong, gluster cannot be asked, or a step fails.
pub async fn run(config: &Path, command: &GlusterCommand) -> anyhow::Result<ExitCode> {
    match command {
        GlusterCommand::Plan(args) => show(&Cluster::of(config, args)?).await,
        GlusterCommand::Apply(args) => apply(&Cluster::of(config, args)?).await,
        GlusterCommand::Check(args) => check(&Cluster::of(config, &args.volume)?, args).await,
        GlusterCommand::Units(args) => write_units(&Cluster::of(config, &args.volume)?, args),
    }
}

/// The volume, and which of its machines this is.
struct Cluster {
    settings: GlusterSettings,
    here: Host,
}

impl Cluster {
    /// From the words of the command line, and the configuration for what they leave open.
    fn of(path: &Path, args: &VolumeArgs) -> anyhow::Result<Self> {
        if let ([first, second], Some(brick)) = (args.nodes.as_slice(), &args.brick) {
            let nodes = [first.clone(), second.clone()];
            let (volume, mount) = (default_volume(), default_mount());
            let settings = GlusterSettings { volume, brick: brick.clone(), mount, nodes, arbiter: None };
            return Self::with(settings, None, args);
        }
        let checked = config::check(path, Secrets::Skip)?;
        let config = checked.config();
        let missing = "there is no [gluster] in this file; add it, or say --nodes A,B and --brick DIR";
        Self::with(config.gluster.clone().context(missing)?, Some(config), args)
    }

    fn with(
        mut settings: GlusterSettings,
        config: Option<&Config>,
        args: &VolumeArgs,
    ) -> anyhow::Result<Self> {
        settings.volume = args.volume.clone().unwrap_or(settings.volume);
        settings.brick = args.brick.clone().unwrap_or(settings.brick);
        settings.mount = args.mount.clone().unwrap_or(settings.mount);
        settings.arbiter = args.arbiter.clone().or(settings.arbiter);
        match args.nodes.as_slice() {
            [] => {}
            [first, second] => settings.nodes = [first.clone(), second.clone()],
            more => bail!(
                "a volume has two nodes, and {} were named; a third machine is the --arbiter",
                more.len()
            ),
        }
        let node = || settings.machine(config?.agent.as_ref()?.node.as_str());
        let said = |here| settings.machines().find(|machine| *machine == here);
        let here = args.here.as_ref().map_or_else(node, said).cloned();
        let machines = settings.machines().map(Host::as_str).collect::<Vec<_>>().join(", ");
        let unknown =
            || format!("this machine is none of {machines} by its name; say which it is with --here");
        let here = here.or_else(|| ask::this_machine(&settings)).with_context(unknown)?;
        Ok(Self { settings, here })
    }

    async fn plan(&self) -> anyhow::Result<Plan> {
        Ok(plan(&self.settings, &self.here, &ask::seen(&self.settings, &self.here).await?))
    }
}

async fn show(cluster: &Cluster) -> anyhow::Result<ExitCode> {
    let plan = cluster.plan().await?;
    print(&shown(cluster, &plan))?;
    Ok(if plan.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(WOULD_CHANGE) })
}

/// A script with its reasons as comments; nothing in it is hidden from whoever runs it by hand.
fn shown(cluster: &Cluster, plan: &Plan) -> String {
    let (settings, here) = (&cluster.settings, &cluster.here);
    let [first, second] = &settings.nodes;
    let mut text = format!("# The volume {} of {first} and {second}, seen from {here}.\n", settings.volume);
    let mut line = |line: String| writeln!(text, "{line}").expect("a String takes everything");
    plan.obstacles.iter().for_each(|what| line(format!("\n# IN THE WAY: {what}")));
    plan.waits_for.iter().for_each(|what| line(format!("\n# WAITS: {what}")));
    for step in &plan.steps {
        line(format!("\n{}", told(step)));
    }
    if plan.is_empty() {
        line("# Nothing is missing.".to_owned());
    } else if settings.mounts(here) {
        let (units, fstab) = (UNITS, units::fstab(settings, here));
        line(format!(
            "\n# Under systemd: hearth gluster units --out {units}\n# or this line in /etc/fstab:\n# {fstab}"
        ));
    }
    text
}

fn told(step: &Step) -> String {
    format!("# {}\n{}", step.why, step.deed)
}

async fn apply(cluster: &Cluster) -> anyhow::Result<ExitCode> {
    let mut done: Option<Step> = None;
    let mut waited = 0;
    for _ in 0..MOST_ROUNDS {
        let plan = cluster.plan().await?;
        if !plan.obstacles.is_empty() {
            bail!("nothing is changed: {}", plan.obstacles.join("; "));
        }
        if !plan.waits_for.is_empty() {
            waited += 1;
            if waited > TRIES {
                bail!("{}", plan.waits_for.join("; "));
            }
            sleep(PAUSE).await;
            continue;
        }
        let Some(step) = plan.steps.into_iter().next() else {
            print("nothing is missing\n")?;
            return Ok(ExitCode::SUCCESS);
        };
        if done.as_ref() == Some(&step) {
            bail!("`{}` was done and changed nothing; look at /var/log/glusterfs/", step.deed);
        }
        print(&format!("{}\n", told(&step)))?;
        perform(&step).await?;
        done = Some(step);
    }
    bail!("this does not come to an end; look at `hearth gluster plan`")
}

/// Does one step; a few failures are the ordinary course of things while machines get to know each other.
async fn perform(step: &Step) -> anyhow::Result<()> {
    for attempt in 1..=TRIES {
        let status =
            ask::perform(&step.deed).await.with_context(|| format!("`{}` cannot be run", step.deed))?;
        if status.success() {
            return Ok(());
        }
        if attempt < TRIES {
            sleep(PAUSE).await;
        }
    }
    bail!("`{}` failed {TRIES} times; what it said stands above", step.deed)
}

async fn check(cluster: &Cluster, args: &GlusterCheckArgs) -> anyhow::Result<ExitCode> {
    let look = ask::look(&cluster.settings).await?;
    let health = judge(&cluster.settings, &cluster.here, &look);
    if args.json {
        print(&format!("{}\n", serde_json::to_string_pretty(&health)?))?;
    } else {
        print(&in_words(cluster, &health))?;
    }
    Ok(ExitCode::from(code(health.verdict)))
}

/// The exit code; 1 and 2 have their meaning in every command.
const fn code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Healthy => 0,
        Verdict::Healing => 3,
        Verdict::Degraded => 4,
        Verdict::Split => 5,
        Verdict::Down => 6,
    }
}

fn in_words(cluster: &Cluster, health: &Health) -> String {
    let mut text = format!("{} is {}\n", cluster.settings.volume, health.verdict.describe());
    for finding in &health.findings {
        write!(text, "\n- {}\n  to do: {}\n", finding.what, finding.remedy)
            .expect("a String takes everything");
    }
    text
}

fn write_units(cluster: &Cluster, args: &GlusterUnitsArgs) -> anyhow::Result<ExitCode> {
    let (settings, here) = (&cluster.settings, &cluster.here);
    if !settings.mounts(here) {
        bail!("{here} is the arbiter and mounts nothing");
    }
    let units = units::units(settings, here);
    match &args.out {
        None => units.iter().try_for_each(|unit| print(&format!("# {}\n{}\n", unit.name, unit.text)))?,
        Some(directory) => {
            let failed = || format!("the units cannot be written to {}", directory.display());
            ask::write(directory, &units).with_context(failed)?;
            let names = units.each_ref().map(|unit| unit.name.as_str()).join(" ");
            let automount = units::automount_name(settings);
            print(&format!(
                "{names} written to {}\nnow: systemctl daemon-reload && systemctl enable --now '{automount}'\n",
                directory.display()
            ))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
