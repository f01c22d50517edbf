import FederationEngine
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime
import Testing

@testable import AdminGateway

/// What the operator is told of who sees whom, and of other servers.
extension `The operator` {
    private func explain(_ user: String, _ other: String) async throws -> JSONValue {
        let text = try await told("GET", "\(`The operator`.base)/explain?user=\(user)&\(other)")
        #expect(!text.contains("secret"))
        return try JSONParser.strict.parse(Array(text.utf8)).value
    }

    private func facts(_ answer: JSONValue) -> [String] {
        (answer["sentences"]?.array ?? []).compactMap { $0["fact"]?.string }
    }

    private func phone(_ user: String) throws -> DeviceKey {
        DeviceKey(user: try UserID(parsing: user), device: try DeviceID(parsing: "PHONE"))
    }

    @Test func `asks why one user here sees another, or not`() async throws {
        let ada = try UserID(parsing: "@ada:x.org")
        try await runtime.perform(.userKnown(UserID(parsing: "@bob:x.org")))
        await runtime.submit(.presence(.statusChosen(try phone("@ada:x.org"), .hidden, text: "secret")))
        var answer = try await explain("@ada:x.org", "observer=@bob:x.org")
        #expect(answer["verdict"]?.string == "not_seen" && answer["sight"]?["cause"]?.string == "no_leave")
        #expect(
            facts(answer) == [
                "no_leave", "if_asked_requested", "published_offline", "hidden", "devices", "next_look",
            ])
        #expect(answer["local"]?["chosen"]?.string == "hidden" && answer["peer"] == nil)
        try await runtime.perform(
            .entryAdded(observer: UserID(parsing: "@bob:x.org"), observed: ada, note: "secret", acl: nil))
        answer = try await explain("@ada:x.org", "observer=@bob:x.org")
        #expect(facts(answer).first == "requested" && answer["sight"]?["entry"]?.string == "pending")
        try await runtime.perform(.requestAccepted(observed: ada, observer: UserID(parsing: "@bob:x.org")))
        answer = try await explain("@ada:x.org", "observer=@bob:x.org")
        #expect(answer["verdict"]?.string == "seen" && facts(answer).first == "granted")
        #expect(answer["sight"]?["since_ts"]?.integer == 1_700_000_000_000)
    }

    @Test func `asks why a user elsewhere, or a server, sees a user here`() async throws {
        await runtime.submit(.presence(.statusChosen(try phone("@ada:x.org"), .busy, text: "secret")))
        var answer = try await explain("@ada:x.org", "observer=@cleo:y.org")
        #expect(facts(answer).first == "no_leave" && facts(answer).contains("reach_none"))
        #expect(answer["telling"]?["delivery"]?.string == "no_audience")
        for user in ["@ada:x.org", "@cleo:y.org"] {
            _ = try await told("PUT", "\(`The operator`.base)/rooms/!lobby:x.org/members/\(user)")
        }
        answer = try await explain("@ada:x.org", "observer=@cleo:y.org")
        #expect(answer["verdict"]?.string == "seen" && facts(answer).first == "shared_room")
        #expect(facts(answer).contains("reach_near") && facts(answer).contains("kind_unheard"))
        #expect(answer["audience"]?["rooms"]?.array?.first?["members_there"]?.integer == 1)
        #expect(answer["telling"]?["told"]?.string == "busy" && answer["peer"]?["server"]?.string == "y.org")

        let server = try await explain("@ada:x.org", "server=y.org")
        #expect(server["verdict"]?.string == "seen" && facts(server).first == "reach_near" && server["sight"] == nil)
        #expect(try await facts(explain("@ada:x.org", "server=x.org")).first == "this_server")
        #expect(try await facts(explain("@nobody:x.org", "server=y.org")).first == "no_such_user")
        #expect(try await explain("@ada:x.org", "server=z.org")["verdict"]?.string == "not_seen")
    }

    @Test func `asks what is known of a user elsewhere`() async throws {
        var answer = try await explain("@cleo:y.org", "observer=@ada:x.org")
        #expect(facts(answer).prefix(2) == ["no_leave", "attention_not_entitled"])
        #expect(facts(answer).contains("unknown_never_heard") && facts(answer).contains("asking_not_asked"))
        for user in ["@ada:x.org", "@cleo:y.org"] {
            _ = try await told("PUT", "\(`The operator`.base)/rooms/!lobby:x.org/members/\(user)")
        }
        _ = await runtime.openStream(on: try phone("@ada:x.org"))
        answer = try await explain("@cleo:y.org", "observer=@ada:x.org")
        #expect(facts(answer).prefix(2) == ["shared_room", "attention_counts"])
        #expect(answer["remote"]?["interested"]?.integer == 1 && answer["telling"] == nil)
        #expect(answer["asking"]?["state"]?.string != "not_asked")
        for other in ["server=y.org", "server=x.org"] {
            answer = try await explain("@cleo:y.org", other)
            #expect(answer["verdict"]?.string == "not_seen" && facts(answer).first == "unknown_never_heard")
        }
        #expect(try await facts(explain("@cleo:y.org", "server=z.org")) == ["not_here"])
        answer = try await explain("@cleo:y.org", "observer=@dan:z.org")
        #expect(facts(answer) == ["not_here"] && answer["verdict"]?.string == "not_decided_here")
    }

    @Test func `is told what is switched off between servers`() throws {
        let server = try ServerName(parsing: "x.org")
        let (ada, cleo) = (try UserID(parsing: "@ada:x.org"), try UserID(parsing: "@cleo:y.org"))
        let now = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
        func facts(_ directions: PresenceInstance.Directions, of user: UserID, to observer: UserID) -> [String] {
            let instance = PresenceInstance(
                presence: PresenceEngine(server: server),
                federation: FederationEngine(server: server, boot: 1, seed: 1), directions: directions)
            return ExplanationReport(of: user, .observer(observer), in: instance, at: now).sentences.map(\.fact)
        }
        let words: Set = ["federation_off", "sending_off", "receiving_off"]
        for (directions, local, remote) in [
            (PresenceInstance.Directions.both, [], []), (.none, ["federation_off"], ["federation_off"]),
            (.receive, ["sending_off"], ["sending_off"]), (.send, [], ["receiving_off"]),
        ] as [(PresenceInstance.Directions, [String], [String])] {
            let mine = facts(directions, of: ada, to: cleo)
            let theirs = facts(directions, of: cleo, to: ada)
            #expect(mine.filter(words.contains) == local && theirs.filter(words.contains) == remote)
            #expect(mine.contains("no_audience") == directions.contains(.send))
            #expect(theirs.contains("asking_not_asked") == (directions == .both))
        }
        #expect(facts(.none, of: ada, to: ada).filter(words.contains).isEmpty)
    }

    @Test func `is told what is wrong with a question`() async throws {
        for query in [
            "", "?user=@ada:x.org", "?observer=@ada:x.org", "?user=ada&observer=@bob:x.org",
            "?user=@ada:x.org&observer=bob", "?user=@ada:x.org&server=a/b",
            "?user=@ada:x.org&observer=@bob:x.org&server=y.org",
        ] {
            #expect(try await ask("GET", "\(`The operator`.base)/explain\(query)").status == 400, "\(query)")
        }
        for query in ["limit=0", "limit=1001", "limit=x", "from=a/b"] {
            #expect(try await ask("GET", "\(`The operator`.base)/peers?\(query)").status == 400, "\(query)")
        }
    }

    @Test func `lists other servers in pages`() async throws {
        let empty = try await told("GET", "\(`The operator`.base)/peers")
        #expect(empty == #"{"now_ts":1700000000000,"peers":[],"total":0}"#)
        for number in 1...3 {
            var message = PresenceMessage()
            message.speaksExtension = true
            try await runtime.take([message], transaction: "t", from: ServerName(parsing: "s\(number).org"))
        }
        func page(_ query: String) async throws -> JSONValue {
            let text = try await told("GET", "\(`The operator`.base)/peers?\(query)")
            return try JSONParser.strict.parse(Array(text.utf8)).value
        }
        let first = try await page("limit=2")
        #expect(first["total"]?.integer == 3 && first["next"]?.string == "s3.org")
        let peer = try #require(first["peers"]?.array?.first)
        #expect(peer["server"]?.string == "s1.org" && peer["kind"]?.string == "capable")
        #expect(peer["counts"]?["transactions_received"]?.integer == 1)
        #expect(peer["last_heard_ts"]?.integer == 1_700_000_000_000)
        let last = try await page("from=s3.org")
        #expect(last["peers"]?.array?.count == 1 && last["next"] == nil)
    }
}
