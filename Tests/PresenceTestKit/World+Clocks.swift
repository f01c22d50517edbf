import PresenceModel

// Every server has a clock of its own, which may be wrong by hours: its engines and the model of its users live by it.
// What passes between servers is ages and durations alone.
extension World {
    /// What the clock of a server says at this moment.
    func clock(_ site: Int) -> Instant { now.advanced(byMilliseconds: sites[site].clockOffset) }

    func clock(of server: ServerName) -> Instant {
        sites.firstIndex { $0.name == server }.map { clock($0) } ?? now
    }

    /// When that is, by the clock of the world, of which a server's clock says `instant`.
    func worldTime(_ instant: Instant, at site: Int) -> Instant {
        instant.advanced(byMilliseconds: -sites[site].clockOffset)
    }

    /// When one of the server's deadlines is next, by the clock of the world.
    func nextDeadline(of site: Int) -> Instant? {
        sites[site].instance?.nextDeadline.map { worldTime($0, at: site) }
    }

    /// What others may see of a user; the age is by the clock of the user's server.
    func truth(of user: UserID) -> NaiveModel.Look { model.look(of: user, at: clock(of: user.server)) }
}
