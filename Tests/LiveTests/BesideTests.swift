import AsyncHTTPClient
import Foundation
import MatrixWire
import Testing

/// presenced beside a live, unmodified Synapse that has its presence off, behind the nginx that `Config/` describes, and
/// federating for real with a Synapse that has it on. Design: section 5.
@Suite(.serialized, .enabled(if: LivePart.synapsePython != nil && LivePart.nginx != nil))
struct `Beside a live homeserver` {
    @Test(.timeLimit(.minutes(5)))
    func `a client of a public library and the users of another server see each other`() async throws {
        let world = try await BesideWorld.start(in: try Scene())
        let presenced = try await world.moveIn()
        let (alice, arthur) = (world.user("alice", of: "a"), world.user("arthur", of: "a"))
        let paul = world.user("paul", of: "b")
        let nio = try await NioClient.logIn("paul", at: world.url(of: "b"))

        // There → here, by federation, in a sync.
        for (state, text) in [("online", "at my desk"), ("unavailable", "lunch"), ("online", "back")] {
            #expect(try await world.put(alice, of: "a", state, text) == 200)
            try await nio.waits(forState: state, text, of: alice.id)
        }
        // Here → there.
        for (state, text) in [("online", "over here"), ("unavailable", "tea")] {
            nio.order(#"{"presence":"\#(state)","text":"\#(text)"}"#)
            try await world.waits(for: paul.id, toBe: state, text, as: alice, of: "a")
        }
        // Who joins is accompanied.
        #expect(try await world.put(arthur, of: "a", "online", "new here") == 200)
        let join = "/_matrix/client/v3/join/\(PercentEncoding.encode(world.room))"
        let joined = try await world.scene.client.ask(
            "POST", world.url(of: "a") + join, token: arthur.token, json: "{}")
        #expect(joined.status == 200)
        try await nio.waits(forState: "online", "new here", of: arthur.id)
        let greeting = try await world.say("welcome", as: alice, of: "a")
        try await nio.waits(forEvent: greeting)

        // The same in a simplified sliding sync, for a client that asks for it.
        let sliding = "\(world.url(of: "b"))/_matrix/client/unstable/org.matrix.simplified_msc3575/sync?timeout=0"
        let plain = try await world.scene.client.ask("POST", sliding, token: paul.token, json: #"{"lists":{}}"#)
        #expect(plain.status == 200 && plain.json["extensions"]?["org.presenced.presence"] == nil, "\(plain.text)")
        let asked = try await world.scene.client.ask(
            "POST", sliding, token: paul.token,
            json: #"{"lists":{},"extensions":{"org.presenced.presence":{"enabled":true}}}"#)
        let shown = asked.json["extensions"]?["org.presenced.presence"]?["events"]?.array ?? []
        #expect(shown.contains { $0["sender"]?.string == alice.id }, "\(asked.text)")

        // Nothing about presence asked the homeserver for anything that the client had not asked for.
        let token = nio.token
        #expect(await nio.child.stop() >= 0)
        let answered = try world.answered("/_matrix/client/v3/sync")
        #expect(nio.syncs <= answered && answered <= nio.syncs + 1, "\(nio.syncs) syncs, \(answered) answers")
        #expect(try world.answered("/account/whoami") <= 4)
        #expect(!nio.reports.contains { $0["failed"] != nil }, "\(nio.reports.compactMap { $0["failed"]?.string })")
        #expect(!presenced.child.text.contains(token))
        #expect(await presenced.child.stop() == 0)
        await world.end()
    }

    @Test(.timeLimit(.minutes(5)))
    func `everything but presence is what the homeserver says, byte for byte`() async throws {
        let world = try await BesideWorld.start(in: try Scene())
        let presenced = try await world.moveIn()
        let alice = world.user("alice", of: "a")
        let (paul, petra) = (world.user("paul", of: "b"), world.user("petra", of: "b"))
        let device = world.description["b"]?["users"]?["paul"]?["device_id"]?.string ?? ""
        let keys = (0..<5).map { #""curve25519:AAAA\#($0)":"\#(String(repeating: "k", count: 42))\#($0)""# }
        let upload = #"{"one_time_keys":{\#(keys.joined(separator: ","))}}"#
        let uploaded = try await world.scene.client.ask(
            "POST", "\(world.url(of: "b"))/_matrix/client/v3/keys/upload", token: paul.token, json: upload)
        #expect(uploaded.status == 200)

        var since: String?
        var withPresence = 0
        for round in 0..<12 {
            switch round % 4 {
            case 0: #expect(try await world.put(alice, of: "a", "online", "round \(round)") == 200)
            case 1: _ = try await world.say("“round” \(round) 🫖 \\u0000", as: petra, of: "b")
            case 2:
                let path = "/_matrix/client/v3/sendToDevice/m.test/\(round)"
                let content = #"{"messages":{"\#(paul.id)":{"\#(device)":{"round":\#(round)}}}}"#
                let sent = try await world.scene.client.ask(
                    "PUT", world.url(of: "b") + path, token: petra.token, json: content)
                #expect(sent.status == 200)
            default: try await world.waits(for: alice.id, toBe: "online", "round \(round - 3)", as: petra, of: "b")
            }
            let plain = try await world.sync(paul, at: world.ownURL, since: since)
            let merged = try await world.sync(paul, at: presenced.url, since: since)
            #expect(plain.status == 200 && merged.status == 200)
            // Counted by Synapse from when it wrote the answer.
            let ages = /"age":\d+/
            let (said, passed) = (plain.text.replacing(ages, with: "AGE"), merged.text.replacing(ages, with: "AGE"))
            if passed != said {
                withPresence += 1
                let kept = said.utf8.dropLast()
                #expect(passed.utf8.starts(with: kept), "round \(round): \(said)\n\(passed)")
                let added = String(decoding: passed.utf8.dropFirst(kept.count), as: UTF8.self)
                #expect(added.hasPrefix(#","presence":{"events":[{"#) && added.hasSuffix("]}}"), "\(added)")
            }
            #expect(plain.json["device_one_time_keys_count"]?["curve25519"]?.integer == 5)
            since = plain.json["next_batch"]?.string
        }
        #expect(withPresence >= 3)
        #expect(await presenced.child.stop() == 0)
        await world.end()
    }

    @Test(.timeLimit(.minutes(5)))
    func `killed during syncs, clients go on by the fall-back and back again, and miss nothing`() async throws {
        let world = try await BesideWorld.start(in: try Scene())
        var presenced = try await world.moveIn()
        let alice = world.user("alice", of: "a")
        let nio = try await NioClient.logIn("paul", at: world.url(of: "b"))
        var said: [String] = []
        for round in 0..<4 {
            #expect(try await world.put(alice, of: "a", "online", "before \(round)") == 200)
            try await nio.waits(forState: "online", "before \(round)", of: alice.id)
            said.append(try await world.say("with presenced \(round)", as: alice, of: "a"))
            try await nio.waits(forEvent: said[said.count - 1])
            // With a long-poll under way; the last time it stops as for a new version.
            let signal = round == 3 ? SIGTERM : SIGKILL
            #expect(await presenced.child.stop(signal: signal) == (round == 3 ? 0 : 128 + SIGKILL), "\(signal)")
            for part in 0..<3 {
                said.append(try await world.say("without presenced \(round) \(part)", as: alice, of: "a"))
                try await nio.waits(forEvent: said[said.count - 1])
            }
            presenced = try await presenced.restarted()
        }
        #expect(try await world.put(alice, of: "a", "unavailable", "after all") == 200)
        try await nio.waits(forState: "unavailable", "after all", of: alice.id)
        let given = nio.eventIDs.filter(Set(said).contains)
        #expect(given == said, "lost, doubled, or in another order: \(given.count) of \(said.count)")
        #expect(!nio.reports.contains { $0["failed"] != nil }, "\(nio.reports.compactMap { $0["failed"]?.string })")
        #expect(await nio.child.stop() >= 0)
        #expect(await presenced.child.stop() == 0)
        await world.end()
    }
}
