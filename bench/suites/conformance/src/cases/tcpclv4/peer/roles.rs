//! What the node is in a connection, and which cases are judged as what.

use crate::outcome::Finding;
use crate::tester::Tester;

/// What the node is in a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cases::tcpclv4) enum Role {
    /// The tester connects.
    Passive,
    /// The node connects.
    Active,
}

/// Judges in each role that the node has. What breaks a requirement in the second goes before what is only light in the first.
pub(in crate::cases::tcpclv4) fn in_both_roles(
    t: &mut Tester<'_>,
    mut judge: impl FnMut(&mut Tester<'_>, Role) -> Result<(), Finding>,
) -> Result<(), Finding> {
    let mut light = None;
    for role in roles(t)? {
        match judge(t, role).map_err(|finding| in_role(finding, role)) {
            Err(finding) if finding.is_light() => _ = light.get_or_insert(finding),
            outcome => outcome?,
        }
    }
    light.map_or(Ok(()), Err)
}

/// Judges in one role.
pub(in crate::cases::tcpclv4) fn in_one_role<T>(
    t: &mut Tester<'_>,
    judge: impl FnOnce(&mut Tester<'_>, Role) -> Result<T, Finding>,
) -> Result<T, Finding> {
    let role = usual_role(t)?;
    judge(t, role)
}

fn in_role(mut finding: Finding, role: Role) -> Finding {
    let told = match role {
        Role::Passive => "with the tester connecting",
        Role::Active => "with the node connecting",
    };
    if !finding.expected.is_empty() {
        finding.expected = format!("{told}, {}", finding.expected);
    }
    finding
}

fn roles(t: &Tester<'_>) -> Result<Vec<Role>, Finding> {
    let profile = t.tcpcl()?;
    let all = [(profile.listens, Role::Passive), (profile.connects, Role::Active)];
    Ok(all.into_iter().filter(|(has, _)| *has).map(|(_, role)| role).collect())
}

/// The role in which most is judged: passive if the node listens.
pub(in crate::cases::tcpclv4) fn usual_role(t: &Tester<'_>) -> Result<Role, Finding> {
    roles(t)?.first().copied().ok_or_else(|| Finding::unsupported("the node neither listens for TCPCL nor connects"))
}

/// That the node listens.
pub(in crate::cases::tcpclv4) fn passive(t: &Tester<'_>) -> Result<Role, Finding> {
    match t.tcpcl()?.listens {
        true => Ok(Role::Passive),
        false => Err(Finding::unsupported("the node does not listen for TCPCL")),
    }
}

/// That the node connects.
pub(in crate::cases::tcpclv4) fn active(t: &Tester<'_>) -> Result<Role, Finding> {
    match t.tcpcl()?.connects {
        true => Ok(Role::Active),
        false => Err(Finding::unsupported("the node does not connect by TCPCL")),
    }
}
