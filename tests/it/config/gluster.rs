//! `[gluster]`: the volume that two nodes share.

use super::{NODE, check, refused_in_agent};

#[test]
fn what_is_not_written_has_its_default() {
    let text = format!("{NODE}[gluster]\nbrick = \"/srv/brick1/gv0\"\nnodes = [\"pi1\", \"pi2\"]\n");
    let checked = check(&text).unwrap();
    let volume = checked.config().gluster.as_ref().unwrap();
    assert_eq!((volume.volume.as_str(), volume.mount.as_str()), ("gv0", "/mnt/gluster1"));
    assert_eq!(volume.nodes.each_ref().map(|host| host.as_str()), ["pi1", "pi2"]);
    assert_eq!(volume.arbiter, None);
}

#[test]
fn a_volume_has_two_nodes_and_each_machine_once() {
    refused_in_agent(
        "[gluster]\nbrick = \"/srv/brick1/gv0\"\nnodes = [\"pi1\", \"pi2\", \"pi3\"]\n",
        r#"
hearth.toml:6:9: a volume has two nodes
 6 | nodes = ["pi1", "pi2", "pi3"]
   |         ^^^^^^^^^^^^^^^^^^^^^
   = write nodes = ["pi1", "pi2"]; a third machine is the `arbiter`"#,
    );
    refused_in_agent(
        "[gluster]\nbrick = \"/srv/brick1/gv0\"\nnodes = [\"pi1\", \"pi2\"]\narbiter = \"pi2\"\n",
        r#"
hearth.toml:7:11: the machine `pi2` is there twice
 7 | arbiter = "pi2"
   |           ^^^^^
   = the first is on line 6"#,
    );
}

#[test]
fn a_word_that_a_command_could_misread_is_refused() {
    refused_in_agent(
        "[gluster]\nbrick = \"/srv/brick one\"\nnodes = [\"pi1\", \"pi2\"]\n",
        r#"
hearth.toml:5:9: `/srv/brick one` is not a directory such as /srv/brick1/gv0: from the root, of letters, digits, `-`, `_` and `.`
 5 | brick = "/srv/brick one"
   |         ^^^^^^^^^^^^^^^^"#,
    );
}

#[test]
fn the_brick_is_not_below_the_mount() {
    refused_in_agent(
        "[gluster]\nbrick = \"/mnt/gluster1/gv0\"\nnodes = [\"pi1\", \"pi2\"]\n",
        r#"
hearth.toml:5:9: the brick and the mount lie within each other
 5 | brick = "/mnt/gluster1/gv0"
   |         ^^^^^^^^^^^^^^^^^^^
   = what is written to a brick past the mount is not replicated; choose a place such as /srv/brick1/gv0"#,
    );
}
