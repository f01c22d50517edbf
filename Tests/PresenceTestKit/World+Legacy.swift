import FederationEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime

// Today's servers in the world.
extension World {
    mutating func populateLegacy(_ number: Int) throws {
        var legacy = LegacyServer(name: try ServerName(parsing: "l\(number).example"))
        for person in 0..<2 {
            let user = try UserID(parsing: "@u\(person):l\(number).example")
            legacy.users.append(user)
            legacy.presences[user] = .neverActive
            everPublished[user] = [NaiveModel.Look(.neverActive).withoutAge]
        }
        legacies.append(legacy)
        agenda.plan(.legacyTick(number), at: now)
        agenda.plan(
            .legacyAct(number), at: now.advanced(byMilliseconds: Int64.random(in: 0...60_000, using: &generator)))
    }

    // MARK: What it says

    /// One of its users does something: now and then only, as most of what they do is of no concern here.
    mutating func actAtLegacy(_ number: Int) {
        guard !isHealed else { return }
        let user = generator.pick(legacies[number].users)
        let pause = Int64.random(in: 1...20 * climate.paceMilliseconds, using: &generator)
        agenda.plan(.legacyAct(number), at: now.advanced(byMilliseconds: pause))
        switch Int.random(in: 0..<10, using: &generator) {
        case 0: join(user, generator.pick(rooms))
        case 1: leave(user, generator.pick(rooms))
        default:
            let state = generator.pick([PublishedState.online, .online, .unavailable, .offline])
            let presence = Presence(state: state, statusText: generator.pick([nil, "in a room"]))
            legacies[number].presences[user] = presence
            everPublished[user, default: []].insert(NaiveModel.Look(presence).withoutAge)
            for site in audience(of: user) { legacies[number].waiting[site, default: []].insert(user) }
            for site in sites.indices { push(from: number, to: site) }
        }
    }

    private func audience(of user: UserID) -> [Int] {
        sites.indices.filter { site in
            gatherings.values.contains { members in
                members.contains(user) && members.contains { $0.isHosted(by: sites[site].name) }
            }
        }
    }

    /// Somebody came into a room: both sides are told of those on the other.
    mutating func greet(_ user: UserID, among members: Set<UserID>) {
        for number in legacies.indices {
            if user.isHosted(by: legacies[number].name) {
                for site in audience(of: user) { legacies[number].waiting[site, default: []].insert(user) }
            } else if let site = sites.firstIndex(where: { $0.name == user.server }) {
                for member in members where member.isHosted(by: legacies[number].name) {
                    legacies[number].waiting[site, default: []].insert(member)
                }
            }
        }
    }

    mutating func tick(_ number: Int) {
        agenda.plan(.legacyTick(number), at: now + .seconds(30))
        for user in legacies[number].users where legacies[number].presences[user]?.state != .offline {
            for site in audience(of: user) {
                let last = legacies[number].told[site]?[user]
                guard last.map({ $0 + LegacyServer.refreshesAfter <= now }) ?? true else { continue }
                legacies[number].waiting[site, default: []].insert(user)
            }
        }
        for site in sites.indices { push(from: number, to: site) }
        checkRefreshes(at: number)
    }

    private mutating func push(from number: Int, to site: Int) {
        guard let users = legacies[number].waiting[site], !users.isEmpty else { return }
        if let wait = legacies[number].notBefore[site], now < wait { return }
        legacies[number].notBefore[site] = now + LegacyServer.triesAgainAfter
        guard sites[site].instance != nil, !generator.happens(climate.requestsLost) else { return }
        legacies[number].pushCount += 1
        let reports = users.sorted().map { user in
            PresenceMessage.Report(user: user, presence: legacies[number].presences[user] ?? .neverActive)
        }
        let push = LegacyServer.Push(from: number, number: legacies[number].pushCount, reports: reports)
        let receiver = Run(site: site, boot: sites[site].boot)
        agenda.plan(.legacyPush(push, to: receiver), at: now.advanced(byMilliseconds: latency()))
    }

    /// A push that a server took is not said again. Those that come in another order than they left are told apart by
    /// nothing: there is one at a time.
    mutating func arrive(_ push: LegacyServer.Push, at receiver: Run) {
        let site = receiver.site
        guard sites[site].boot == receiver.boot, sites[site].instance != nil else { return }
        var message = PresenceMessage()
        message.push = push.reports
        let name = legacies[push.from].name
        submit(.federation(.received(from: name, transaction: "syn-\(push.number)", [message])), to: site)
        guard sites[site].instance != nil, !generator.happens(climate.answersLost) else { return }
        sites[site].journal.settle()
        legacies[push.from].notBefore[site] = nil
        for report in push.reports {
            legacies[push.from].told[site, default: [:]][report.user] = now
            // It may have changed again meanwhile.
            if legacies[push.from].presences[report.user] == report.presence {
                legacies[push.from].waiting[site]?.remove(report.user)
            }
        }
    }

    // MARK: What it is told

    mutating func dispatch(_ transaction: OutgoingTransaction, from sender: Run, toLegacy legacy: Int) {
        guard !generator.happens(climate.requestsLost) else { return giveUpLater(transaction, at: sender) }
        let isAnswered = !generator.happens(climate.answersLost)
        agenda.plan(
            .legacyArrival(transaction, from: sender, to: legacy, isAnswered: isAnswered, isCopy: false),
            at: now.advanced(byMilliseconds: latency()))
    }

    mutating func arriveAtLegacy(
        _ transaction: OutgoingTransaction, from sender: Run, _ legacy: Int, isAnswered: Bool, isCopy: Bool
    ) {
        guard sites[sender.site].boot == sender.boot else { return }
        let origin = sites[sender.site].name
        if legacies[legacy].taken[origin, default: []].insert(transaction.id).inserted {
            for report in transaction.messages.flatMap(\.push) {
                legacies[legacy].held[report.user] = LegacyServer.Held(presence: report.presence, at: now)
            }
        }
        guard isAnswered else { return giveUpLater(transaction, at: sender) }
        plan(.delivered, of: transaction, at: sender, in: latency())
    }

    /// Where nothing is ever lost nobody is forgotten who is not offline.
    private mutating func checkRefreshes(at number: Int) {
        guard climate.isFair, fairSince + LegacyServer.forgetsAfter < now else { return }
        let name = legacies[number].name
        for (user, held) in legacies[number].held.sorted(by: { $0.key < $1.key }) {
            guard !isGone(user.server), held.presence.state != .offline, model.isNear(name, to: user),
                truth(of: user).state != .offline
            else { continue }
            if held.at + LegacyServer.forgetsAfter <= now { fault("\(name) forgot \(user), who is \(truth(of: user))") }
        }
    }
}

extension World {
    /// What today's servers believe that is not so, and what is believed of their users: sensible half an hour after
    /// ``heal()``, when whatever was not refreshed is forgotten.
    var legacySightsInDoubt: [String] {
        var found: [String] = []
        for number in legacies.indices {
            let legacy = legacies[number]
            for user in users where !isGone(user.server) && model.isNear(legacy.name, to: user) {
                let truth = truth(of: user)
                let believed = legacy.state(of: user, at: now)
                if believed != truth.state { found.append("\(user) is \(truth); to \(legacy.name): \(believed)") }
            }
            for site in sites.indices where !lostSites.contains(site) {
                guard let engine = sites[site].instance?.presence else { continue }
                for user in legacy.users where audience(of: user).contains(site) {
                    let truth = legacy.presences[user] ?? .neverActive
                    let known = World.presence(engine.knowledge(of: user))
                    if known.map({ $0.says(theSameAs: truth) }) ?? (truth.state == .offline) { continue }
                    found.append("\(user) is \(truth); to \(sites[site].name): \(String(describing: known))")
                }
            }
        }
        return found
    }

    /// Whether a server is down for good.
    func isGone(_ server: ServerName) -> Bool { lostSites.contains { sites[$0].name == server } }
}
