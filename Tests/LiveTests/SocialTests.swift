import Foundation
import MatrixWire
import PresenceModel
import SocialClient
import SocialEngine
import Testing

/// The embedded social service of a real presenced, used through its clients. ADR-189, ADR-246.
@Suite(.serialized) struct `The social service` {
    static func start(_ label: String, in scene: Scene, _ further: [String] = []) async throws -> Presenced {
        let ports = try Scene.freePorts(3)
        var settings = Presenced.Settings(
            name: "example.org", clientPort: ports[0], federationPort: ports[1], adminPort: ports[2],
            authority: scene.authority.path)
        settings.further =
            [
                "social:", "  enabled: true", "  leave_grace: 1s", "  rate_limit: { per_second: 0 }",
                "  requests_per_hour: 100000", "  requests_per_hour_of_pair: 100000",
            ] + further
        return try await Presenced.start(settings, label: label, in: scene)
    }

    @Test(.timeLimit(.minutes(2))) func `is used from the command line`() async throws {
        let presenced = try await `The social service`.start("presenced", in: try Scene())
        let (alice, bob) = (try await presenced.user("alice"), try await presenced.user("bob"))
        func command(_ user: Presenced.User, _ words: String...) throws -> Child {
            try Child(
                Scene.presenced, ["social"] + words + ["--config", "presenced.yaml"], in: presenced.folder,
                environment: ["PRESENCED_TOKEN": user.token])
        }
        func says(_ user: Presenced.User, _ words: String...) async throws -> (status: Int32, text: String) {
            let child = try Child(
                Scene.presenced, ["social"] + words + ["--config", "presenced.yaml"], in: presenced.folder,
                environment: ["PRESENCED_TOKEN": user.token])
            return (await child.end(), child.text)
        }
        let watch = try command(bob, "watch")
        _ = try await watch.line(with: "friends: 0, requests to answer: 0")
        let asked = try await says(alice, "request", "bob", "--message", "it is me")
        #expect(asked == (0, "you asked bob to be friends: it is me"))
        _ = try await watch.line(with: "alice asked you to be friends: it is me")
        #expect(try await says(bob, "requests").text.hasPrefix("from alice, 20"))
        let again = try await says(alice, "request", "bob")
        #expect(again == (1, "Not done: Invalid friendship event update transition"))
        #expect(
            try await says(alice, "accept", "bob").text.contains(
                "Invalid acting user for friendship event update accept"))
        #expect(try await says(bob, "accept", "@alice:example.org") == (0, "you and alice are friends"))
        #expect(try await says(alice, "friends") == (0, "bob"))

        let heartbeat = try command(alice, "heartbeat", "--realm", "main", "--parcel=-3,14")
        _ = try await heartbeat.line(with: "online at -3,14 in main")
        _ = try await watch.line(with: "alice is online at -3,14 in main")
        #expect(try await says(bob, "friends", "--online") == (0, "alice"))
        // One truth: Matrix sees the same.
        let status = try await presenced.status(of: alice.id, by: alice)
        #expect(status.json["presence"]?.string == "online", "\(status.text)")
        #expect(try await says(alice, "privacy", "hidden") == (0, "hidden"))
        _ = try await watch.line(with: "alice is offline")
        #expect(try await says(bob, "friends", "--online") == (0, ""))
        #expect(try await says(alice, "privacy", "state_only") == (0, "state_only"))
        #expect(await heartbeat.stop() >= 0)
        #expect(try await says(alice, "block", "bob") == (0, "you blocked bob"))
        #expect(try await says(bob, "friends") == (0, ""))
        #expect(try await says(bob, "request", "alice").status == 1)

        let strange = Presenced.User(id: "", token: "no-token-at-all")
        let refused = try await says(strange, "friends")
        #expect(refused.status == 1 && refused.text.contains("does not take the access token"), "\(refused.text)")
        #expect(await watch.stop() >= 0)
        #expect(await presenced.child.stop() == 0)
        for token in [alice.token, bob.token, strange.token] { #expect(!presenced.child.text.contains(token)) }
        #expect(!presenced.child.text.contains("it is me"))
    }

    @Test(.timeLimit(.minutes(3)), arguments: [UInt64(1), 2])
    func `loses nothing that it acknowledged to kill -9`(seed: UInt64) async throws {
        var presenced = try await `The social service`.start("presenced", in: try Scene())
        var users: [Presenced.User] = []
        for name in ["a", "b", "c", "d", "e", "f"] { users.append(try await presenced.user("\(name)\(seed)")) }
        var pairs = [Acquaintance(), Acquaintance(), Acquaintance()]
        var generator = SeededGenerator(seed: seed)
        for round in 0..<6 {
            let people = try users.map { try SocialUser($0, at: presenced) }
            let running = pairs.enumerated().map { number, pair in
                Task { await pair.goingOn(people[2 * number], people[2 * number + 1]) }
            }
            // Somewhere in between; the disk's pace decides where.
            let moment = Int.random(in: 0..<40, using: &generator)
            let child = presenced.child
            let first = Follower(people[0].client.friendshipUpdates())
            try await first.waits("\(moment) events") { $0.news.count >= moment }
            #expect(await child.stop(signal: SIGKILL) == 128 + SIGKILL)
            for (number, task) in running.enumerated() { pairs[number] = await task.value }
            for person in people { await person.client.close() }
            presenced = try await presenced.restarted()
            for number in pairs.indices {
                let one = try SocialUser(users[2 * number], at: presenced)
                let other = try SocialUser(users[2 * number + 1], at: presenced)
                let found = try await Acquaintance.found(one, other)
                #expect(try await Acquaintance.found(other, one, seenFromTheOther: true) == found)
                #expect(
                    found == pairs[number].acknowledged || found == pairs[number].underWay,
                    "round \(round), pair \(number): \(found), \(pairs[number])")
                pairs[number] = Acquaintance(acknowledged: found)
                await one.client.close()
                await other.client.close()
            }
        }
        #expect(await presenced.child.stop() == 0)
    }

    @Test(.timeLimit(.minutes(3)), .enabled(if: LivePart.redis != nil))
    func `is one service in two processes that share a Redis`() async throws {
        let scene = try Scene()
        var redis = try await RedisServer()
        let shared = ["  redis: { url: \"\(redis.url)\" }", "tokens: { file: \"\(scene.folder)/tokens.json\" }"]
        let here = try await `The social service`.start("here", in: scene, shared)
        let there = try await `The social service`.start("there", in: scene, shared)
        let alice = try await SocialUser.make("alice", at: here)
        let bob = try await SocialUser.make("bob", at: there)
        let bobHere = try SocialUser(bob.user, at: here)
        let news = bob.followFriendships()
        try await news.waits("a snapshot") { !$0.isEmpty }
        _ = try await alice.client.act(.request(message: "hello"), towards: bob.address)
        try await news.waits("the request came") { !$0.news.isEmpty }
        _ = try await bob.client.act(.accept, towards: alice.address)
        let followers = [bob.followPresence(), bobHere.followPresence(), bob.followPresence()]
        for follower in followers { try await follower.waits("a snapshot") { !$0.isEmpty } }

        func moves(to x: Int32) async throws {
            _ = try await alice.client.heartbeat(Whereabouts(realm: "main", parcel: .init(x: x, y: 0)))
            for follower in followers {
                try await follower.waits("\(x)") { $0.latest(of: alice.address)?.whereabouts?.parcel?.x == x }
            }
        }
        for x in 1...30 { try await moves(to: Int32(x)) }
        for follower in followers {
            let told = follower.updates.changes(of: alice.address).compactMap { $0.whereabouts?.parcel?.x }
            #expect(told == (1...30).map { Int32($0) })
        }
        // Without Redis each goes on with what it knows; with it again, both know the same.
        await redis.kill()
        _ = try await alice.client.heartbeat(Whereabouts(realm: "main", parcel: .init(x: 31, y: 0)))
        try await followers[1].waits("the own process tells") {
            $0.latest(of: alice.address)?.whereabouts?.parcel?.x == 31
        }
        redis = try await RedisServer(port: redis.port)
        for follower in followers {
            try await follower.waits("caught up", within: 60) {
                $0.latest(of: alice.address)?.whereabouts?.parcel?.x == 31
            }
        }
        try await moves(to: 32)
        await alice.client.close()
        for follower in followers {
            try await follower.waits("gone") { $0.latest(of: alice.address)?.state == .offline }
        }
        #expect(news.updates.news.count == 2, "\(news.updates)")
        #expect(await here.child.stop() == 0)
        #expect(await there.child.stop() == 0)
        await redis.kill()
    }
}

/// What two users do again and again, and what of it the service acknowledged.
private struct Acquaintance: Hashable, Sendable {
    enum State: Hashable, Sendable { case strangers, asked, friends }

    var acknowledged = State.strangers
    /// Not acknowledged yet, and maybe done.
    var underWay: State?

    /// Asks, accepts and ends until the service does not answer any more.
    func goingOn(_ one: SocialUser, _ other: SocialUser) async -> Acquaintance {
        var now = self
        while true {
            let (who, action, next): (SocialUser, FriendshipAction, State) =
                switch now.acknowledged {
                case .strangers: (one, .request(message: nil), .asked)
                case .asked: (other, .accept, .friends)
                case .friends: (one, .delete, .strangers)
                }
            now.underWay = next
            do {
                _ = try await who.client.act(action, towards: who.address == one.address ? other.address : one.address)
            } catch {
                return now
            }
            now.acknowledged = next
            now.underWay = nil
        }
    }

    static func found(
        _ one: SocialUser, _ other: SocialUser, seenFromTheOther: Bool = false
    ) async throws -> State {
        if try await one.client.friends().contains(other.address) { return .friends }
        let requests = try await one.client.requests()
        let asked = seenFromTheOther ? requests.incoming : requests.outgoing
        return asked.contains { $0.other == other.address } ? .asked : .strangers
    }
}
