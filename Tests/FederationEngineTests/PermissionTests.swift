import FederationEngine
import PresenceModel
import PresenceTestKit
import Testing

/// alice asks to see bob.
private func invite(_ request: Int64 = 1, of name: String = "bob") throws -> PermissionMessage {
    PermissionMessage(.invite, observed: try remote(name), observer: try local("alice"), request: request)
}

/// alice answers bob.
private func answer(_ kind: PermissionMessage.Kind, _ request: Int64 = 1) throws -> PermissionMessage {
    PermissionMessage(kind, observed: try local("alice"), observer: try remote("bob"), request: request)
}

/// A bench whose transactions are concluded by hand.
private func slowBench(
    _ configuration: FederationEngine.Configuration = FederationEngine.Configuration.unwatched, seed: UInt64 = 1
) throws -> FederationBench {
    var bench = try FederationBench(configuration, seed: seed)
    bench.deliversAtOnce = false
    return bench
}

/// What is still to be told by what was saved, in the order in which it came to be so.
private func saved(_ bench: FederationBench) -> [PermissionMessage] {
    var rows: [PermissionMessage] = []
    func drop(_ message: PermissionMessage) {
        rows.removeAll {
            ($0.kind == .invite) == (message.kind == .invite) && $0.observed == message.observed
                && $0.observer == message.observer
        }
    }
    for case .save(let record) in bench.effects {
        switch record {
        case .permissionQueued(let message):
            drop(message)
            rows.append(message)
        case .permissionDelivered(let message): drop(message)
        default: break
        }
    }
    return rows
}

@Suite struct `Permissions that are told` {
    @Test func `leave at once, and are kept until the other side took them`() throws {
        var bench = try slowBench()
        let sent = bench.perform(.permission(try invite()))
        #expect(sent.map(\.permissions) == [[try invite()]] && sent.map(\.messages) == [[]])
        #expect(sent.first?.destination == (try there()))
        #expect(bench.effects.first == .save(.permissionQueued(try invite())))
        for _ in 0..<3 {
            bench.conclude(.unanswered(after: nil))
            bench.pass(.minutes(2))
            #expect(saved(bench) == [try invite()])
        }
        #expect(bench.sent.count == 4 && Set(bench.sent).count == 1)
        bench.conclude()
        #expect(saved(bench).isEmpty)
        #expect(bench.effects.last == .save(.permissionDelivered(try invite())))
        #expect(bench.pass(.hours(3)).isEmpty)
        #expect(bench.engine.tally.permissionsSent == 1 && bench.engine.tally.edusSent == 1)
    }

    @Test func `go with what waits for its window, before it`() throws {
        var bench = try FederationBench()
        bench.perform(.audienceRestored(try local("alice"), try there()))
        bench.perform(.localPublished(try local("alice"), Presence(state: .online), .batched))
        let sent = bench.perform(.permission(try answer(.accept)))
        #expect(sent.map(\.permissions) == [[try answer(.accept)]])
        #expect(sent.map(\.pushed) == [[try local("alice")]])
        #expect(bench.pass(.hours(1)).isEmpty)
    }

    @Test func `wait for the one that is under way, and the latest of them wins`() throws {
        var bench = try slowBench()
        bench.perform(.interestBegan(try remote("carol")))
        bench.perform(.permission(try answer(.accept)), .permission(try invite(1, of: "dave")))
        bench.perform(.permission(try answer(.deny)))
        #expect(bench.sent.count == 1)
        #expect(saved(bench) == [try invite(1, of: "dave"), try answer(.deny)])
        #expect(bench.conclude().map(\.permissions) == [[try answer(.deny), try invite(1, of: "dave")]])
    }

    @Test func `are not changed once they are in flight, and what is newer follows`() throws {
        var bench = try slowBench()
        bench.perform(.permission(try answer(.accept)))
        bench.perform(.permission(try answer(.deny)))
        bench.conclude(.unanswered(after: nil))
        #expect(bench.pass(.minutes(1)).map(\.permissions) == [[try answer(.accept)]])
        #expect(Set(bench.sent).count == 1)
        #expect(saved(bench) == [try answer(.deny)])
        // The older one was taken: the newer one is what is on disk, and stays there.
        #expect(bench.conclude().map(\.permissions) == [[try answer(.deny)]])
        #expect(saved(bench) == [try answer(.deny)])
        #expect(bench.conclude().isEmpty)
        #expect(saved(bench).isEmpty)
    }

    @Test func `a request and an answer between the same two do not replace each other`() throws {
        var bench = try slowBench()
        bench.perform(.interestBegan(try remote("carol")))
        bench.perform(.permission(try invite()), .permission(try answer(.accept)))
        #expect(bench.conclude().map(\.permissions) == [[try invite(), try answer(.accept)]])
    }

    @Test func `in a refused transaction they are told again after the wait, first of all`() throws {
        var bench = try slowBench()
        bench.perform(.permission(try invite(1)), .permission(try answer(.accept)))
        bench.perform(.permission(try invite(2)), .permission(try invite(1, of: "carol")))
        #expect(bench.conclude(.refused).isEmpty)
        #expect(bench.pass(.milliseconds(7_999)).isEmpty)
        let again = bench.pass(.seconds(5))
        // The newer request took the place of the one refused.
        #expect(again.map(\.permissions) == [[try answer(.accept), try invite(2), try invite(1, of: "carol")]])
        #expect(again.first?.id != bench.sent.first?.id)
        bench.conclude()
        #expect(saved(bench).isEmpty)
        #expect(bench.pass(.hours(3)).isEmpty)
    }

    @Test func `a refused transaction alone is told again, as often as it takes`() throws {
        var bench = try slowBench()
        bench.perform(.permission(try invite()))
        for _ in 0..<5 {
            bench.conclude(.refused)
            #expect(bench.pass(.minutes(10)).map(\.permissions) == [[try invite()]])
            #expect(saved(bench) == [try invite()])
        }
        bench.conclude()
        #expect(saved(bench).isEmpty)
    }

    @Test func `told again they do not wait for a window`() throws {
        var bench = try slowBench()
        bench.perform(.permission(try invite()))
        bench.conclude(.refused)
        bench.perform(.audienceRestored(try local("alice"), try there()))
        for state in [PublishedState.online, .busy, .unavailable] {
            bench.perform(.localPublished(try local("alice"), Presence(state: state), .batched))
            if state != .unavailable { bench.pass(.milliseconds(3_500)) }
        }
        let sent = bench.pass(.seconds(5))
        #expect(sent.map(\.permissions) == [[try invite()]])
        #expect(sent.map(\.pushed) == [[try local("alice")]])
    }

    @Test func `do not break into a wait`() throws {
        var bench = try slowBench()
        bench.perform(.interestBegan(try remote("carol")))
        bench.conclude(.unanswered(after: .minutes(5)))
        bench.perform(.permission(try invite()))
        #expect(bench.pass(.milliseconds(299_999)).isEmpty)
        #expect(bench.pass(.milliseconds(1)).map(\.permissions) == [[]])
        #expect(bench.conclude().map(\.permissions) == [[try invite()]])
        bench.conclude(.refused)
        bench.perform(.permission(try invite(2)))
        #expect(bench.pass(.seconds(7)).isEmpty)
        #expect(bench.pass(.seconds(5)).map(\.permissions) == [[try invite(2)]])
    }

    @Test func `count as EDUs, go first, and the rest goes next`() throws {
        var configuration = FederationEngine.Configuration.unwatched
        configuration.edusPerTransaction = 3
        configuration.statesPerEDU = 1
        var bench = try FederationBench(configuration)
        let server = try there()
        bench.perform(.interestBegan(try remote("zoe")))
        for name in ["a", "b", "c"] {
            bench.perform(.audienceRestored(try local(name), server))
            bench.perform(.localPublished(try local(name), Presence(state: .online), .batched))
        }
        let names = ["f", "e", "d", "c"]
        for name in names.dropLast() { _ = bench.perform(.audienceRestored(try local(name), server)) }
        bench.deliversAtOnce = false
        bench.perform(.interestBegan(try remote("yan")))
        bench.perform(.interestBegan(try remote("xu")))
        for name in names { bench.perform(.permission(try invite(1, of: name))) }
        var sent: [OutgoingTransaction] = []
        while true {
            let next = bench.conclude()
            if next.isEmpty { break }
            sent += next
        }
        #expect(sent.map { $0.permissions.map(\.observed.localpart) } == [["f", "e", "d"], ["c"]])
        #expect(sent.map(\.polled) == [[], [try remote("xu")]])
        #expect(bench.sent.allSatisfy { $0.permissions.count + $0.messages.count <= 3 })
        #expect(Set(bench.sent.flatMap(\.pushed)).count == 3)
    }

    @Test func `order within each pair is the order in which it was decided`() throws {
        for seed in UInt64(1)...20 {
            var generator = SeededGenerator(seed: seed)
            var bench = try slowBench(seed: seed)
            var (latest, told): ([String: Int64], [String: [Int64]]) = ([:], [:])
            func hearOut(_ sent: [OutgoingTransaction]) {
                for message in sent.flatMap(\.permissions) {
                    told["\(message.observed.localpart)", default: []].append(message.request ?? 0)
                }
            }
            for request in Int64(1)...60 {
                let name = ["b", "c", "d"].randomElement(using: &generator) ?? "b"
                latest[name] = request
                hearOut(bench.perform(.permission(try invite(request, of: name))))
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: hearOut(bench.conclude())
                case 1: hearOut(bench.conclude(.refused))
                case 2: hearOut(bench.conclude(.unanswered(after: nil)))
                default: hearOut(bench.pass(.seconds(20)))
                }
            }
            for _ in 0..<4 { hearOut(bench.conclude() + bench.pass(.hours(2))) }
            #expect(saved(bench).isEmpty)
            for name in ["b", "c", "d"] {
                let numbers = try #require(told[name])
                #expect(numbers == numbers.sorted() && numbers.last == latest[name])
            }
        }
    }
}

@Suite struct `Permissions that are withdrawn` {
    @Test func `are not told if they still waited`() throws {
        var bench = try slowBench()
        bench.perform(.permission(try invite()), .permissionWithdrawn(try invite()))
        #expect(bench.sent.isEmpty && saved(bench).isEmpty)
        bench.perform(.interestBegan(try remote("carol")))
        bench.perform(.permission(try invite()))
        bench.perform(.permissionWithdrawn(try invite()))
        #expect(saved(bench).isEmpty)
        #expect(bench.conclude().isEmpty)
        #expect(bench.pass(.minutes(30)).isEmpty)
    }

    @Test func `leave the others as they are`() throws {
        var bench = try slowBench()
        bench.perform(.interestBegan(try remote("carol")))
        let all = try (0..<60).map { try invite(1, of: "b\($0)") }
        for message in all { bench.perform(.permission(message)) }
        let left = all.enumerated().filter { $0.offset % 5 == 3 }.map(\.element)
        for message in all where !left.contains(message) { bench.perform(.permissionWithdrawn(message)) }
        let again = try invite(2, of: "b18")
        bench.perform(.permission(again))
        #expect(bench.conclude().map(\.permissions) == [left.map { $0.observed == again.observed ? again : $0 }])
        bench.conclude()
        #expect(saved(bench).isEmpty)
    }

    @Test func `stay in a transaction that was handed out, and are not told anew`() throws {
        var bench = try slowBench()
        bench.perform(.permission(try invite()), .permission(try answer(.accept)))
        bench.perform(.permissionWithdrawn(try invite()))
        #expect(saved(bench) == [try answer(.accept)])
        bench.conclude(.unanswered(after: nil))
        bench.pass(.minutes(1))
        #expect(Set(bench.sent).count == 1 && bench.sent.count == 2)
        bench.conclude(.refused)
        #expect(bench.pass(.minutes(1)).map(\.permissions) == [[try answer(.accept)]])
    }

    @Test func `do not take a newer one with them`() throws {
        var bench = try slowBench()
        bench.perform(.permission(try invite(1)))
        bench.perform(.permissionWithdrawn(try invite(1)), .permission(try invite(2)))
        bench.conclude(.refused)
        #expect(bench.pass(.minutes(1)).map(\.permissions) == [[try invite(2)]])
        #expect(saved(bench) == [try invite(2)])
    }

    @Test func `are forgotten with the transaction that held them`() throws {
        for failure in [nil, FederationEngine.Failure.refused] {
            var bench = try slowBench()
            bench.perform(.permission(try invite(1)))
            bench.perform(.permissionWithdrawn(try invite(1)))
            bench.conclude(failure)
            bench.pass(.minutes(1))
            bench.perform(.permission(try invite(2)))
            #expect(bench.sent.last?.permissions == [try invite(2)])
            bench.conclude(.refused)
            #expect(bench.pass(.minutes(1)).map(\.permissions) == [[try invite(2)]])
        }
    }

    @Test func `nothing happens where nothing waits`() throws {
        var bench = try slowBench()
        bench.perform(.permissionWithdrawn(try invite()))
        #expect(bench.effects.isEmpty)
    }

    @Test func `withdrawn presence takes no permission with it`() throws {
        for isUnderway in [true, false] {
            var bench = try slowBench()
            bench.perform(.audienceAdded(try local("alice"), try there()), .permission(try answer(.accept)))
            if !isUnderway { bench.conclude(.unanswered(after: nil)) }
            bench.perform(.audienceRemoved(try local("alice"), try there()), .permission(try invite()))
            if isUnderway { bench.conclude(.unanswered(after: nil)) }
            let sent = bench.pass(.minutes(1))
            #expect(sent.map(\.permissions) == [[try answer(.accept), try invite()]])
            #expect(sent.first?.pushed == [])
            #expect(saved(bench) == [try answer(.accept), try invite()])
        }
    }
}

@Suite struct `Permissions after a restart` {
    private func restarted(_ canary: FederationEngine.Canary? = nil) throws -> FederationBench {
        var snapshot = FederationEngine.Snapshot()
        snapshot.permissions = [
            try answer(.accept), try invite(),
            PermissionMessage(.invite, observed: try local("alice"), observer: try remote("bob")),
            PermissionMessage(.accept, observed: try local("alice"), observer: try local("carol")),
        ]
        var configuration = FederationEngine.Configuration.unwatched
        configuration.canary = canary
        return try FederationBench(configuration, from: snapshot, boot: 2)
    }

    @Test func `are told again, at once, by the server that may`() throws {
        var bench = try restarted()
        let sent = bench.pass(.zero)
        #expect(sent.map(\.id) == ["pd-2-1"])
        #expect(sent.map(\.permissions) == [[try answer(.accept), try invite()]])
        #expect(bench.effects.contains(.save(.permissionDelivered(try invite()))))
        #expect(bench.pass(.hours(3)).isEmpty)
    }

    @Test func `are lost by the fault made for it`() throws {
        var bench = try restarted(.losesOutboxAtRestart)
        #expect(bench.pass(.hours(1)).isEmpty)
    }
}

@Suite struct `Bounds` {
    @Test func `past the limit denials are not said, but to those who were given leave`() throws {
        var configuration = FederationEngine.Configuration.unwatched
        configuration.permissionsPerServer = 2
        var bench = try slowBench(configuration)
        func deny(_ name: String) throws -> PermissionMessage {
            PermissionMessage(.deny, observed: try local("alice"), observer: try remote(name))
        }
        bench.perform(.permission(try answer(.accept)))
        bench.perform(.permission(try invite(1)), .permission(try deny("x")))
        bench.perform(.permission(try deny("y")), .permission(try answer(.deny)), .permission(try deny("x")))
        #expect(bench.engine.tally.denialsDropped == 1)
        bench.perform(.permission(try invite(1, of: "z")))
        #expect(bench.conclude().first?.permissions.count == 4)
    }
}
