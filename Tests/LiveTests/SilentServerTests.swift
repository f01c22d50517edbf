import Foundation
import MatrixWire
import PresenceModel
import Testing

/// One of two presenced dies, or stands still.
struct `A server that does not answer` {
    @Test(.timeLimit(.minutes(4)))
    func `since kill -9 has unknown users until it is back, and loses none of the questions`() async throws {
        var pair = try await Neighbours.start()
        try await pair.meet()
        let (ada, anna, abe) = (pair.north.watcher, pair.north.actors[0], pair.north.actors[1])
        let (cleo, cora) = (pair.south.watcher, pair.south.actors[0])
        #expect(try await pair.south.server.put(cora, "unavailable", text: "gone in a moment").status == 200)
        try await pair.agree("before the crash")

        // Somebody asks the dead, before they are known to be dead; somebody else does so when they are.
        await pair.south.server.child.stop(signal: SIGKILL)
        let list = "list/\(PercentEncoding.encode(cleo.id))"
        let note = #"{"note":"are you there?"}"#
        #expect(try await pair.north.server.own("PUT", list, as: anna, json: note).json["state"]?.string == "pending")
        try await pair.north.waitsForSilence(of: pair.south.everyone)
        #expect(try await pair.north.server.own("PUT", list, as: abe, json: note).json["state"]?.string == "pending")
        #expect(try await pair.north.server.put(anna, "unavailable", text: "while you were out").status == 200)

        pair.south.server = try await pair.south.server.restarted()
        let (north, south) = (pair.north.server, pair.south.server)
        try await pair.agree("after the restart")
        #expect(try await north.view(of: cora.id, by: ada) == "unavailable gone in a moment")
        #expect(try await south.view(of: anna.id, by: cleo) == "unavailable while you were out")
        try await south.waits("both questions are there", as: cleo) {
            let requests = try await south.own("GET", "list/requests", as: cleo).json["requests"]?.array ?? []
            return Set(requests.compactMap { $0["user_id"]?.string }) == [anna.id, abe.id]
                && requests.count == 2 && requests.allSatisfy { $0["note"]?.string == "are you there?" }
        }
        for asker in [anna, abe] {
            let request = "list/requests/\(PercentEncoding.encode(asker.id))/accept"
            #expect(try await south.own("POST", request, as: cleo).status == 200)
            try await north.waits("the answer is there", as: asker) {
                try await north.entryState(of: cleo.id, by: asker) == "accepted"
            }
        }

        #expect(north.said(Presenced.wentSilent, of: south) == 1)
        #expect(north.said(Presenced.answersAgain, of: south) == 1)
        north.checkLog(atMost: 4)
        south.checkLog(atMost: 4)
        await pair.stop()
    }

    @Test(.timeLimit(.minutes(5)))
    func `for two minutes, stopped as it stands, is right again when it goes on`() async throws {
        let pair = try await Neighbours.start()
        try await pair.meet()
        let (north, south) = (pair.north.server, pair.south.server)
        let (ada, anna, abe) = (pair.north.watcher, pair.north.actors[0], pair.north.actors[1])
        #expect(try await south.put(pair.south.actors[0], "unavailable", text: "still here").status == 200)
        try await pair.agree("before the stop")

        south.child.send(SIGSTOP)
        let stopped = ContinuousClock.now
        try await pair.north.waitsForSilence(of: pair.south.everyone)
        for round in 0... {
            let left = 120 - (ContinuousClock.now - stopped) / .seconds(1)
            guard left > 0 else { break }
            #expect(
                try await north.put(anna, round % 2 == 0 ? "unavailable" : "online", text: "\(round)").status == 200)
            try await north.listens(as: ada, for: min(left, 10))
        }
        #expect(try await north.put(abe, "offline").status == 200)
        #expect(try await north.view(of: pair.south.watcher.id, by: ada) == "unknown: server_silent")
        #expect(north.said(Presenced.answersAgain, of: south) == 0)

        south.child.send(SIGCONT)
        try await pair.agree("after it went on")
        #expect(north.said(Presenced.wentSilent, of: south) == 1)
        #expect(north.said(Presenced.answersAgain, of: south) == 1)
        north.checkLog(atMost: 4)
        south.checkLog(atMost: 4)
        await pair.stop()
    }
}
