import Foundation
import HomeserverLink
import MatrixFederation
import MatrixWire
import PresenceModel
import Testing

@testable import presenced

/// What the doctor makes of what it sees.
struct `The doctor` {
    private let server: ServerName
    private let now = Instant(millisecondsSinceEpoch: 1_800_000_000_000)

    init() throws { server = try ServerName(parsing: "x.org") }

    private func answer(_ status: Int, _ json: String = "{}", mark: ServerMark? = nil) throws -> Sighting {
        .answered(
            Sighting.Reply(status: status, document: try JSONParser.lenient.parse(Array(json.utf8)).value, mark: mark))
    }

    private func mark(_ listener: String = "client") -> ServerMark {
        ServerMark(listener: listener, serverName: server)
    }

    @Test func `knows a homeserver, and presenced in its place`() throws {
        let judge = { HomeserverChecks.judge($0, at: "http://h") }
        let versions = #"{"versions":["v1.11","v1.12"]}"#
        #expect(judge(try answer(200, versions)) == .ok("homeserver", "http://h answers, up to v1.12"))
        let ours = #"{"versions":["v1.12"],"unstable_features":{"org.presenced.devices":true}}"#
        for circle in [try answer(200, ours), try answer(200, versions, mark: mark())] {
            #expect(judge(circle).verdict == .failed)
            #expect(judge(circle).found.contains("in a circle"))
        }
        for wrong in [try answer(404), try answer(200), try answer(200, #"{"versions":[]}"#), .silent("no connection")]
        {
            #expect(judge(wrong).verdict == .failed)
        }
    }

    @Test(arguments: [(0, "ok"), (10, "ok"), (11, "warning"), (60, "warning"), (61, "failed")])
    func `compares clocks, ahead and behind`(seconds: Int, verdict: String) {
        for apart in [seconds, -seconds] {
            let finding = HomeserverChecks.judgeClock(now + .seconds(apart), ours: now)
            #expect(finding.verdict.rawValue == verdict, "\(apart)")
        }
        #expect(HomeserverChecks.judgeClock(nil, ours: now).verdict == .warning)
    }

    @Test func `tells presence on from presence off, and says where it cannot`() throws {
        #expect(
            PresenceOffCheck.judge(try answer(200, #"{"presence":"offline"}"#)) == .ok(PresenceOffCheck.name, "off"))
        for on in [
            try answer(403, #"{"errcode":"M_FORBIDDEN"}"#), try answer(200, #"{"presence":"online"}"#),
            try answer(200, #"{"presence":"offline","last_active_ago":5}"#),
        ] { #expect(PresenceOffCheck.judge(on).verdict == .failed) }
        for unclear in [try answer(404), try answer(500), .silent("late")] {
            #expect(PresenceOffCheck.judge(unclear).verdict == .warning)
        }
    }

    @Test func `wants presence on where the bridge goes by it`() {
        let name = PresenceOffCheck.name
        #expect(PresenceOffCheck.turned(.ok(name, "off")).verdict == .failed)
        #expect(PresenceOffCheck.turned(.failed(name, "on", do: "")).verdict == .ok)
        #expect(PresenceOffCheck.turned(.warning(name, "late", do: "")).verdict == .warning)
    }

    @Test func `sees whether the bridge reaches its service, and whether sessions are open`() throws {
        let text = "server_name: x.org\nbridge: {service: external, url: 'wss://[::1]:77/s?key=secret'}"
        let bridge = try ConfigurationReader.read(text, file: "p.yaml").configuration.bridge
        #expect(BridgeChecks.origin(of: bridge)?.text == "https://[::1]:77")
        #expect(BridgeChecks.origin(of: ServerConfiguration.Bridge()) == nil)
        let url = try #require(bridge.url?.publicText)
        #expect(!url.contains("secret"))
        #expect(BridgeChecks.judgeReached(try answer(426), at: url).verdict == .ok)
        #expect(BridgeChecks.judgeReached(.silent("no connection"), at: url).verdict == .failed)
        func verdicts(_ services: String) throws -> [Finding.Verdict] {
            BridgeChecks.judgeSessions(try answer(200, #"{"services":[\#(services)]}"#)).map(\.verdict)
        }
        let good = #"{"service":"embedded","sessions":3,"sessions_open":3}"#
        let some = #"{"service":"external","sessions":3,"sessions_open":1,"failures":{"unauthorized":2}}"#
        let none = #"{"service":"external","sessions":3,"sessions_open":0,"failures":{}}"#
        let nobody = #"{"service":"external","sessions":0,"sessions_open":0}"#
        #expect(try verdicts("\(some),\(good)") == [.warning, .ok])
        #expect(try verdicts("\(none),\(nobody)") == [.failed, .warning])
        #expect(BridgeChecks.judgeSessions(try answer(404)).map(\.verdict) == [.failed])
        #expect(
            BridgeChecks.judgeSessions(try answer(200, "{\"services\":[\(some)]}"))[0].found.contains("2 unauthorized"))
    }

    @Test func `says why the application service is not known`() throws {
        let judge = { ApplicationServiceChecks.judgeKnown($0, sender: "@presenced:x.org") }
        #expect(judge(try answer(200, #"{"user_id":"@presenced:x.org"}"#)).verdict == .ok)
        let unknown = judge(try answer(401, #"{"errcode":"M_UNKNOWN_TOKEN"}"#))
        #expect(unknown.verdict == .failed && unknown.todo?.contains("restart the homeserver") == true)
        let other = judge(try answer(200, #"{"user_id":"@presenced:y.org"}"#))
        #expect(other.verdict == .failed && other.found.contains("@presenced:y.org"))
        #expect(judge(try answer(502)).verdict == .failed)
        #expect(judge(.silent("late")).verdict == .failed)
    }

    @Test func `looks whether the registration fits what is asked`() {
        func judge(_ patterns: [String], _ bootstrap: RoomCensus.Bootstrap = .lazy) -> Finding.Verdict {
            ApplicationServiceChecks.judgeUsers(patterns: patterns, bootstrap: bootstrap, at: server).verdict
        }
        #expect(judge(["@a", #"@.*:x\.org"#]) == .ok && judge(["@.*"]) == .ok)
        for patterns in [[], [#"@.*:y\.org"#], ["x.org"], ["("]] {
            #expect(judge(patterns) == .failed && judge(patterns, .none) == .warning)
        }
    }

    @Test(arguments: [
        ("M_URL_NOT_SET", 400, "no url"), ("M_CONNECTION_FAILED", 502, "cannot connect"),
        ("M_CONNECTION_TIMEOUT", 504, "in vain"), ("M_BAD_STATUS", 502, "answers 403"), ("M_FORBIDDEN", 403, "403"),
    ])
    func `explains why the homeserver does not reach presenced`(code: String, status: Int, part: String) throws {
        let listen = NetworkAddress(host: "127.0.0.1", port: 8010)
        func judge(_ sighting: Sighting) -> Finding {
            ApplicationServiceChecks.judgeBack(sighting, url: "http://h:9", listen: listen)
        }
        let finding = judge(try answer(status, #"{"errcode":"\#(code)","status":403}"#))
        #expect(finding.verdict == .failed && finding.found.contains(part), "\(finding)")
        if finding.todo?.contains("The registration says") == true {
            #expect(finding.todo?.contains("http://h:9") == true && finding.todo?.contains("\(listen)") == true)
        }
        #expect(judge(try answer(200, #"{"duration_ms":5}"#)) == .ok(ApplicationServiceChecks.back, "reached in 5 ms"))
        #expect(judge(try answer(404, #"{"errcode":"M_UNRECOGNIZED"}"#)).verdict == .warning)
    }

    @Test func `judges the administrator's token`() throws {
        let verdicts = try [200, 401, 403, 404].map {
            ApplicationServiceChecks.judgeAdmin(try answer($0)).verdict
        }
        #expect(verdicts == [.ok, .failed, .failed, .failed])
    }

    @Test func `finds its key among those that the homeserver publishes, or says how to add it`() throws {
        let bytes = [UInt8](repeating: 7, count: 32)
        let own = SigningKeyChecks.OwnKey(id: try .init(parsing: "ed25519:p_1"), publicKey: bytes, path: "/k")
        func judge(_ id: String = "ed25519:p_1", key: [UInt8]? = nil, name: String = "x.org", life: Int = 1) throws
            -> Finding
        {
            let until = (now + .hours(life)).millisecondsSinceEpoch
            let document = """
                {"server_name":"\(name)","valid_until_ts":\(until),"verify_keys":{"ed25519:a_1":{"key":"\
                \(Base64.encode([UInt8](repeating: 1, count: 32)))"},"\(id)":{"key":"\(Base64.encode(key ?? bytes))"}}}
                """
            return SigningKeyChecks.judge(
                try answer(200, document), as: "key", at: "http://h", own: own, server: server, now: now)
        }
        #expect(try judge().verdict == .ok)
        let missing = try judge("ed25519:p_2")
        #expect(missing.verdict == .failed && missing.todo?.contains("second line") == true)
        let other = try judge(key: [UInt8](repeating: 8, count: 32))
        #expect(other.verdict == .failed && other.found.contains("another key"))
        #expect(try judge(name: "y.org").found.contains("y.org, not x.org"))
        #expect(try judge(life: -1).found.contains("out of date"))
        let none = SigningKeyChecks.judge(
            try answer(404), as: "key", at: "http://h", own: own, server: server, now: now)
        #expect(none.verdict == .failed && none.todo?.contains("federation]") == true)
    }

    @Test func `knows whether this presenced runs, or another`() throws {
        let listen = NetworkAddress(host: "127.0.0.1", port: 8008)
        func judge(_ sighting: Sighting) -> Finding { RunningChecks.judge(sighting, at: listen, server: server) }
        #expect(judge(try answer(502, mark: mark())).verdict == .ok)
        for (text, part) in [
            ("client y.org 0.1.0", "for y.org"), ("admin x.org \(Presenced.version)", "for admin"),
            ("client x.org 0.0.1", "presenced 0.0.1"),
        ] {
            let finding = judge(try answer(200, mark: ServerMark(parsing: text)))
            #expect(finding.verdict == .failed && finding.found.contains(part), "\(finding)")
        }
        #expect(judge(try answer(200)).found.contains("not presenced"))
        #expect(judge(.silent("no")).verdict == .failed)
        #expect(ServerMark(parsing: mark().text) == mark() && ServerMark(parsing: "client x.org") == nil)

        func admin(_ sighting: Sighting) -> Finding.Verdict {
            RunningChecks.judgeAdmin(sighting, at: listen, server: server).verdict
        }
        #expect(admin(try answer(200, mark: mark("admin"))) == .ok)
        #expect(admin(try answer(401, mark: mark("admin"))) == .failed)
        #expect(admin(try answer(200)) == .failed)
    }

    @Test func `sees which ways lead past presenced, and what is lost by that`() throws {
        for path in ProxyChecks.paths(at: server) {
            func judge(_ sighting: Sighting) -> Finding { ProxyChecks.judge(sighting, of: path, server: server) }
            #expect(judge(try answer(401, mark: mark())).verdict == .ok)
            let past = judge(try answer(401, #"{"errcode":"M_MISSING_TOKEN"}"#))
            #expect(past.verdict == (path.isOptional ? .warning : .failed) && past.found.contains(path.loss))
            #expect(judge(try answer(401, mark: ServerMark(parsing: "client y.org 1"))).verdict == .failed)
        }
        let names = ProxyChecks.paths(at: server).filter { !$0.isOptional }.map(\.what)
        #expect(names == ["syncs", "presence", "presenced's own paths", "versions"])
        func federation(_ sighting: Sighting) -> Finding.Verdict {
            ProxyChecks.judgeFederation(sighting, server: server).verdict
        }
        let types = String(decoding: EDUTypesBody.nothing.encode(), as: UTF8.self)
        #expect(federation(try answer(200, types)) == .ok)
        #expect(federation(try answer(200)) == .failed)
        #expect(federation(try answer(404)) == .failed)
        #expect(federation(.silent("no route")) == .failed)
    }

    @Test func `looks at the files that are named`() throws {
        let folder = try TemporaryFolder()
        var configuration = ServerConfiguration()
        configuration.dataDirectory = folder.path("")
        configuration.federation.enabled = true
        configuration.admin.enabled = true
        configuration.homeserver.applicationService.registration = folder.path("r.yaml")
        func judge() -> [Finding] { FileChecks.judge(FileChecks.look(configuration)) }
        #expect(judge().map(\.verdict) == [.failed, .warning, .warning])

        try RegistrationFile.create(path: folder.path("r.yaml"), server: server, url: "http://h")
        let key = try SigningKey.create(path: configuration.signingKeyPath)
        #expect(FileManager.default.createFile(atPath: configuration.adminTokenPath, contents: Data("x".utf8)))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: configuration.adminTokenPath)
        #expect(judge().map(\.verdict) == [.ok], "\(judge())")
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: configuration.signingKeyPath)
        let open = judge()
        #expect(open.map(\.verdict) == [.warning] && open[0].todo == "chmod o-rwx '\(configuration.signingKeyPath)'")
        configuration.federation.signingKeyID = key.id
        #expect(judge().map(\.verdict) == [.warning])
        configuration.federation.signingKeyID = try SigningKeyID(parsing: "ed25519:absent")
        #expect(judge().map(\.verdict) == [.failed])
        configuration.homeserver.caFile = folder.path("r.yaml")
        #expect(judge().map(\.verdict) == [.failed, .failed])
    }

    @Test func `writes a line for each finding, and what to do below it`() {
        let failed = Finding.failed("clock", "wrong", do: "Mend it.")
        #expect(failed.lines == ["failed    clock: wrong", "          → Mend it."])
        #expect(Finding.leftOut("clock", "no").lines == ["left out  clock: no"])
        #expect(DoctorCommand.summary([.ok("a", "b")]) == "All is well.")
        #expect(
            DoctorCommand.summary([failed, .warning("a", "b", do: "c"), .leftOut("d", "e")])
                == "1 failed, 1 warning, 1 left out.")
        let json =
            #"{"checks":[{"do":"Mend it.","found":"wrong","name":"clock","result":"failed"}],"failed":1,"#
            + #""version":"\#(Presenced.version)","warnings":0}"#
        #expect(DoctorCommand.document([failed]) == json)
    }
}
