import PresenceEngine
import PresenceModel

// What users do.
extension World {
    /// One thing that one user does, and the time of the next.
    mutating func act() {
        let mean = climate.paceMilliseconds
        let pause = generator.happens(climate.silences) ? 600_000 : Int64.random(in: 1...2 * mean, using: &generator)
        nextAct = now.advanced(byMilliseconds: pause)
        let client = Int.random(in: clients.indices, using: &generator)
        let key = clients[client].key
        let site = clients[client].site
        switch Int.random(in: 0..<100, using: &generator) {
        case 0..<20: perform(.deviceActed(key), at: site)
        case 20..<28: perform(.deviceSeen(key), at: site)
        case 28..<48: choose(on: key, at: site)
        case 48..<68: openStream(client)
        case 68..<76: closeStream(client)
        case 76..<80: vanish(client)
        case 80..<82: perform(.deviceRevoked(key), at: site)
        case 82..<91: changeList(of: key.user, at: site, isAddition: true)
        case 91..<98: changeList(of: key.user, at: site, isAddition: false)
        default: flicker(on: key, at: site)
        }
    }

    private mutating func choose(on key: DeviceKey, at site: Int) {
        let state = generator.pick([ChosenState.online, .online] + ChosenState.allCases)
        let text = generator.pick([nil, "tea", "a walk", "🫖 tea, then a walk"])
        perform(.statusChosen(key, state, text: text), at: site)
    }

    /// There and back: what cancels out is not told. Who is offline to others stays it.
    private mutating func flicker(on key: DeviceKey, at site: Int) {
        guard let before = sites[site].instance?.presence.chosen(by: key.user) else { return }
        let isAway = before.state == .offline || before.state == .hidden
        perform(.statusChosen(key, isAway ? before.state : .busy, text: "one moment"), at: site)
        perform(.statusChosen(key, before.state, text: before.statusText), at: site)
    }

    /// Every program of the user is gone at once.
    private mutating func vanish(_ client: Int) {
        let user = clients[client].key.user
        for other in clients.indices where clients[other].key.user == user { closeStream(other) }
    }

    private mutating func changeList(of observer: UserID, at site: Int, isAddition: Bool) {
        let observed = generator.pick(users)
        guard observed != observer else { return }
        perform(
            isAddition
                ? .entryAdded(observer: observer, observed: observed)
                : .entryRemoved(observer: observer, observed: observed),
            at: site)
    }
}
