import PresenceModel
import Testing

@testable import SocialEngine

/// Two runs that differ in what a hidden user does: nobody else can tell them apart.
struct `A hidden user` {
    private enum Way: CaseIterable { case byPrivacy, elsewhere }

    /// What friends get in a run drawn from `seed`, in which bob hides, and moves about or does not come at all.
    private func outputs(seed: UInt64, _ way: Way, isThere: Bool) -> [String] {
        var bench = SocialBench {
            $0.makesRooms = false
            $0.requestsPerHourOfPair = 1000
            $0.requestsPerHour = 1000
        }
        bench.befriend("ann", "bob")
        bench.befriend("ann", "cyd")
        bench.befriend("bob", "cyd")
        switch way {
        case .byPrivacy: bench.choose("bob", .hidden)
        case .elsewhere: bench.submit(.concealmentChanged(address("bob"), isConcealed: true))
        }
        var chance = SeededGenerator(seed: seed)
        var seen: [String] = []
        var ids = [bench.subscribePresence("ann", on: 1), bench.subscribePresence("cyd", on: 2)]
        for step in 0..<300 {
            let (draw, place, other) = (
                Int.random(in: 0..<12, using: &chance), Int32.random(in: 0..<3, using: &chance),
                Bool.random(using: &chance) ? "ann" : "cyd"
            )
            switch draw {
            case 0, 1, 2: if isThere { bench.heartbeat("bob", on: 10 + UInt64(place), parcel(place, 0)) }
            case 3: if isThere { bench.end(10 + UInt64(place)) }
            case 4: bench.heartbeat(other, on: 20, parcel(place, 1))
            case 5: bench.advance(by: .seconds(Int(place) * 40 + 1))
            case 6: ids.append(bench.subscribePresence(other, on: 3))
            case 7: bench.act("bob", .delete, other)
            case 8: bench.act(other, .request(message: nil), "bob")
            case 9: bench.act("bob", .accept, other)
            case 10 where way == .byPrivacy && isThere:
                // What holds beside hiding shows nothing either.
                bench.submit(.concealmentChanged(address("bob"), isConcealed: place == 0))
            default: break
            }
            seen.append("\(step): \(bench.engine.sightings(by: address("ann")))")
            seen.append("\(step): \(bench.engine.onlineFriends(of: address("cyd")))")
            for id in ids { seen += bench.seen(id).map { "\(step), \(id.number): \($0)" } }
        }
        return seen
    }

    @Test(arguments: UInt64(1)...30) func `who moves about is as one who is not there`(seed: UInt64) {
        for way in Way.allCases {
            let there = outputs(seed: seed, way, isThere: true)
            let absent = outputs(seed: seed, way, isThere: false)
            #expect(there == absent)
            #expect(there.contains { $0.contains("cyd:online") } || there.contains { $0.contains("ann:online") })
            #expect(!there.contains { $0.contains("bob:online") })
        }
    }
}
