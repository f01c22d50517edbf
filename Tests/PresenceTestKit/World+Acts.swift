import PresenceEngine
import PresenceModel

// What users do with their devices.
extension World {
    /// One thing that one user does, and the time of the next.
    mutating func act() {
        let mean = climate.paceMilliseconds
        let pause = generator.happens(climate.silences) ? 600_000 : Int64.random(in: 1...2 * mean, using: &generator)
        nextAct = now.advanced(byMilliseconds: pause)
        let client = Int.random(in: clients.indices, using: &generator)
        let key = clients[client].key
        let site = clients[client].site
        guard sites[site].instance != nil else { return }
        switch Int.random(in: 0..<(80 + 30 * climate.sociability), using: &generator) {
        case 0..<10: perform(.deviceActed(key), at: site)
        case 10..<13: perform(.deviceSeen(key), at: site)
        case 13..<20: perform(.deviceSynced(key, generator.pick(SetPresence.allCases)), at: site)
        case 20..<27: report(on: key, at: site)
        case 27..<28: perform(.deviceReportWithdrawn(key), at: site)
        case 28..<42: choose(on: key, at: site)
        case 42..<47: insist(on: key, at: site)
        case 47..<62: openStream(client, generator.pick([.online, .online, .online, .unavailable, .offline]))
        case 62..<70: closeStream(client)
        case 70..<74: vanish(client)
        case 74..<76: perform(.deviceRevoked(key), at: site)
        case 76..<80: flicker(on: key, at: site)
        default: actTowardsOthers(key.user, at: site)
        }
    }

    private mutating func choose(on key: DeviceKey, at site: Int) {
        let state = generator.pick([ChosenState.online, .online] + ChosenState.allCases)
        perform(.statusChosen(key, state, text: text()), at: site)
    }

    private mutating func text() -> String? { generator.pick([nil, "tea", "a walk", "🫖 tea, then a walk"]) }

    private mutating func insist(on key: DeviceKey, at site: Int) {
        guard generator.happens(650) else { return perform(.overrideSet(key, nil), at: site) }
        var override = PresenceOverride(state: generator.pick(ChosenState.allCases))
        if generator.happens(500) { override.text = .replaced(text()) }
        if generator.happens(700) {
            override.until = clock(site).advanced(byMilliseconds: Int64.random(in: 0...1_200_000, using: &generator))
        }
        perform(.overrideSet(key, override), at: site)
    }

    private mutating func report(on key: DeviceKey, at site: Int) {
        var report = DeviceReport()
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: break
        case 1: report.idleness = .active
        default: report.idleness = .idle(milliseconds: generator.pick([-5, 0, 0, 10_000, 120_000, 600_000]))
        }
        let type = generator.pick([nil, nil, "mobile", "desktop", "web"])
        report.type = type.flatMap { try? DeviceType(parsing: $0) }
        perform(.deviceReported(key, report), at: site)
    }

    /// There and back: what cancels out is not told. Who is offline to others stays it.
    private mutating func flicker(on key: DeviceKey, at site: Int) {
        guard let before = sites[site].instance?.presence.ownState(of: key.user) else { return }
        let isAway = before.chosen == .offline || before.chosen == .hidden
        perform(.statusChosen(key, isAway ? before.chosen : .busy, text: "one moment"), at: site)
        perform(.statusChosen(key, before.chosen, text: before.statusText), at: site)
    }

    /// Every program of the user is gone at once.
    private mutating func vanish(_ client: Int) {
        let user = clients[client].key.user
        for other in clients.indices where clients[other].key.user == user { closeStream(other) }
    }
}
