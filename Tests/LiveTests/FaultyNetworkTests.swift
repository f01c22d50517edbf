import Foundation
import MatrixWire
import PresenceModel
import Testing

/// Two presenced, and a network between them that does what networks do.
struct `A faulty network` {
    private static let states = ["online", "unavailable", "offline", "org.matrix.msc3026.busy"]

    /// Changes states on both sides for so long, as the seed says, and asks and answers now and then.
    private func live(_ pair: Neighbours, for seconds: Double, seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        let deadline = ContinuousClock.now + .milliseconds(Int64(seconds * 1000))
        var number = 0
        while ContinuousClock.now < deadline {
            number += 1
            let side = Bool.random(using: &generator) ? pair.north : pair.south
            let actor = side.actors.randomElement(using: &generator) ?? side.watcher
            let state = `A faulty network`.states.randomElement(using: &generator) ?? "online"
            #expect(try await side.server.put(actor, state, text: "change \(number)").status == 200)
            try await side.server.listens(as: side.watcher, for: Double.random(in: 0.1..<1.5, using: &generator))
        }
    }

    @Test(.timeLimit(.minutes(5)), arguments: [1, 2] as [UInt64])
    func `of every kind of fault for a minute is forgotten when it heals`(seed: UInt64) async throws {
        let pair = try await Neighbours.start()
        try await pair.meet()
        let (north, south) = (pair.north.server, pair.south.server)
        let (abe, carl) = (pair.north.actors[1], pair.south.actors[1])
        pair.toSouth.plan(FaultyProxy.storm(seed: seed))
        pair.toNorth.plan(FaultyProxy.storm(seed: seed &+ 1000))
        #expect(try await north.add(carl.id, by: abe).status == 200)
        try await live(pair, for: 60, seed: seed)
        // Faults were met, or this says nothing.
        #expect(pair.toSouth.met.count >= 5 && pair.toNorth.met.count >= 5)
        #expect(north.said(Presenced.notTaken, of: south) >= 1 && south.said(Presenced.notTaken, of: north) >= 1)

        pair.toSouth.heal()
        pair.toNorth.heal()
        try await pair.agree("after seed \(seed)")
        // What was asked in the storm was asked once.
        try await south.waits("the question is there", as: carl) {
            try await south.own("GET", "list/requests", as: carl).json["requests"]?.array?.count == 1
        }
        let request = "list/requests/\(PercentEncoding.encode(abe.id))/accept"
        #expect(try await south.own("POST", request, as: carl).status == 200)
        try await north.waits("the answer is there", as: abe) {
            try await north.entryState(of: carl.id, by: abe) == "accepted"
        }
        // Each kind of failure is a line, not each failure.
        north.checkLog(atMost: 6)
        south.checkLog(atMost: 6)
        await pair.stop()
    }

    @Test(.timeLimit(.minutes(3)))
    func `that loses every answer doubles no state that was taken`() async throws {
        let pair = try await Neighbours.start()
        try await pair.meet()
        let (north, south) = (pair.north.server, pair.south.server)
        let (anna, cleo) = (pair.north.actors[0], pair.south.watcher)
        pair.toSouth.plan { number in .answerCut(flight: 2, letThrough: number % 3 * 25) }

        // Taken by the south, though the north cannot know.
        #expect(try await north.put(anna, "unavailable", text: "did you get this?").status == 200)
        try await south.waits(for: anna.id, toBe: "unavailable", text: "did you get this?", as: cleo)
        let position = try await south.own("GET", "stream?since=&timeout=0", as: cleo).json["next_batch"]?.string
        _ = try await north.child.line(with: Presenced.notTaken)

        pair.toSouth.heal()
        _ = try await north.child.line(with: Presenced.takenAgain)
        try await pair.agree("after the answers came through")
        // Said again, it is no news.
        let news = try await south.own("GET", "stream?since=\(position ?? "")&timeout=0", as: cleo)
        let again = (news.json["events"]?.array ?? []).filter { $0["sender"]?.string == anna.id }
        #expect(again.isEmpty, "\(news.text)")
        north.checkLog(atMost: 4)
        await pair.stop()
    }

    @Test(.timeLimit(.minutes(3)))
    func `that loses every answer loses and doubles no question`() async throws {
        let pair = try await Neighbours.start()
        try await pair.meet()
        let (north, south) = (pair.north.server, pair.south.server)
        let (anna, cleo) = (pair.north.actors[0], pair.south.watcher)
        pair.toSouth.plan { number in .answerCut(flight: 2, letThrough: number % 3 * 25) }

        #expect(try await north.add(cleo.id, by: anna).status == 200)
        try await south.waits("the question is there", as: cleo) {
            try await south.own("GET", "list/requests", as: cleo).json["requests"]?.array?.count == 1
        }
        // Waits behind the question, of which the north does not know that it was taken.
        #expect(try await north.put(anna, "unavailable", text: "well?").status == 200)
        _ = try await north.child.line(with: Presenced.notTaken)
        let request = "list/requests/\(PercentEncoding.encode(anna.id))"
        #expect(try await south.own("POST", "\(request)/accept", as: cleo).status == 200)

        pair.toSouth.heal()
        _ = try await north.child.line(with: Presenced.takenAgain)
        try await pair.agree("after the answers came through")
        #expect(try await south.view(of: anna.id, by: cleo) == "unavailable well?")
        try await north.waits("the answer is there", as: anna) {
            try await north.entryState(of: cleo.id, by: anna) == "accepted"
        }
        #expect(try await south.own("GET", "list/requests", as: cleo).json["requests"]?.array?.isEmpty == true)
        north.checkLog(atMost: 4)
        await pair.stop()
    }

    @Test(.timeLimit(.minutes(4)), arguments: FaultyProxy.Direction.allCases)
    func `with a partition one way delivers late, and the latest holds`(
        direction: FaultyProxy.Direction
    ) async throws {
        let pair = try await Neighbours.start()
        try await pair.meet()
        let (north, ada) = (pair.north.server, pair.north.watcher)
        let (anna, abe) = (pair.north.actors[0], pair.north.actors[1])
        pair.toSouth.partition(direction)
        for (round, state) in ["unavailable", "online", "offline", "unavailable"].enumerated() {
            #expect(try await north.put(anna, state, text: "round \(round)").status == 200)
            #expect(try await north.put(abe, round % 2 == 0 ? "offline" : "online").status == 200)
            try await north.listens(as: ada, for: 4)
        }
        _ = try await north.child.line(with: Presenced.notTaken)
        pair.toSouth.heal()
        try await pair.agree("after the partition")
        #expect(try await pair.south.server.view(of: anna.id, by: pair.south.watcher) == "unavailable round 3")
        // Still so when the last of what was held has come.
        try await north.listens(as: ada, for: 3)
        try await pair.agree("and later")
        north.checkLog(atMost: 4)
        pair.south.server.checkLog(atMost: 4)
        await pair.stop()
    }
}
