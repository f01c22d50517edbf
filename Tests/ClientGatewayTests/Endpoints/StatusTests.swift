import MatrixWire
import PresenceEngine
import PresenceModel
import Testing

@testable import ClientGateway

struct `The status` {
    @Test func `of a user who never chose is as Synapse has it, and the default`() async throws {
        let bench = try await GatewayBench()
        #expect(
            try await bench.told("GET", bench.status(of: "ada"), as: "ada")
                == #"{"presence":"offline","org.presenced.chosen":"online"}"#)
    }

    @Test(arguments: [
        (#"{"presence":"online"}"#, #"{"presence":"online","last_active_ago":0,"currently_active":true}"#),
        (
            #"{"presence":"online","org.presenced.state":"free_for_chat","status_msg":"hi"}"#,
            #"{"presence":"online","last_active_ago":0,"status_msg":"hi","currently_active":true,"#
                + #""org.presenced.state":"free_for_chat"}"#
        ),
        (
            #"{"presence":"unavailable","org.presenced.state":"busy"}"#,
            #"{"presence":"org.matrix.msc3026.busy","last_active_ago":0,"org.presenced.state":"busy"}"#
        ),
        (#"{"presence":"offline"}"#, #"{"presence":"offline"}"#),
        (
            #"{"presence":"offline","org.presenced.state":"hidden","status_msg":"psst"}"#,
            #"{"presence":"offline","status_msg":"psst","org.presenced.state":"hidden"}"#
        ),
    ])
    func `that a user picked is what they are told`(put: String, told: String) async throws {
        let bench = try await GatewayBench()
        #expect(try await bench.told("PUT", bench.status(of: "ada"), as: "ada", put) == "{}")
        #expect(try await bench.told("GET", bench.status(of: "ada"), as: "ada") == told)
    }

    @Test func `that was chosen is told beside what idleness made of it`() async throws {
        let bench = try await GatewayBench()
        _ = try await bench.told("PUT", bench.status(of: "ada"), as: "ada", #"{"presence":"online"}"#)
        _ = try await bench.told(
            "PUT", "\(GatewayBench.own)/devices/ADA/presence", as: "ada", #"{"idle_ms":0,"type":"mobile"}"#)
        #expect(
            try await bench.told("GET", bench.status(of: "ada"), as: "ada")
                == #"{"presence":"unavailable","last_active_ago":0,"org.presenced.device_type":"mobile","#
                + #""org.presenced.chosen":"online"}"#)
    }

    @Test func `of the hidden and of the offline look the same to others`() async throws {
        var told: [String] = []
        for state in ["hidden", "offline"] {
            let bench = try await GatewayBench()
            try await bench.runtime.perform(
                .entryAdded(observer: user("bob"), observed: user("ada"), note: nil, acl: nil))
            try await bench.runtime.perform(.requestAccepted(observed: user("ada"), observer: user("bob")))
            _ = try await bench.told("PUT", bench.status(of: "ada"), as: "ada", #"{"presence":"online"}"#)
            bench.clock.move(by: .minutes(2))
            let put = #"{"presence":"offline","org.presenced.state":"\#(state)"}"#
            _ = try await bench.told("PUT", bench.status(of: "ada"), as: "ada", put)
            told.append(try await bench.told("GET", bench.status(of: "ada"), as: "bob"))
            bench.clock.move(by: .minutes(2))
            _ = try await bench.told("PUT", "\(GatewayBench.own)/devices/ADA/presence", as: "ada", #"{"active":true}"#)
            told.append(try await bench.told("GET", bench.status(of: "ada"), as: "bob"))
        }
        #expect(told[0] == told[2] && told[1] == told[3], "\(told)")
    }

    @Test func `of a stranger is forbidden, and nobody else's can be set`() async throws {
        let bench = try await GatewayBench()
        #expect(try await bench.ask("GET", bench.status(of: "bob"), as: "ada").verdict == "403 M_FORBIDDEN")
        #expect(try await bench.ask("GET", bench.status(of: "nobody"), as: "ada").verdict == "403 M_FORBIDDEN")
        let put = try await bench.ask("PUT", bench.status(of: "bob"), as: "ada", #"{"presence":"online"}"#)
        #expect(put.verdict == "403 M_FORBIDDEN")
        #expect(try await bench.ask("GET", bench.status(of: "ada"), as: nil).verdict == "401 M_MISSING_TOKEN")
        #expect(try await bench.ask("GET", bench.status(of: "ada"), as: "wrong").verdict == "401 M_UNKNOWN_TOKEN")
    }

    @Test func `that could not be written to disk is not acknowledged`() async throws {
        let bench = try await GatewayBench()
        bench.disk.fill()
        let put = try await bench.ask("PUT", bench.status(of: "ada"), as: "ada", #"{"presence":"online"}"#)
        #expect(put.status == 503)
    }

    @Test(arguments: ClientGateway.UnknownShape.allCases)
    func `that is not known is said to be so, in the shape configured`(shape: ClientGateway.UnknownShape) async throws {
        let bench = try await GatewayBench { $0.unknownAs = shape }
        let cleo = try user("@cleo:other.org")
        try await bench.runtime.perform(.entryAdded(observer: user("ada"), observed: cleo, note: nil, acl: nil))
        let accept = PermissionMessage(.accept, observed: cleo, observer: try user("ada"))
        try await bench.runtime.perform(.permissionReceived(accept))
        let path = "/_matrix/client/v3/presence/@cleo:other.org/status"
        let word = shape == .disabled ? "support.feline.msc4042.v1.disabled" : "offline"
        let content =
            #"{"presence":"\#(word)","org.presenced.state":"unknown","#
            + #""org.presenced.unknown":{"reason":"never_heard"}}"#
        let reply = try await bench.ask("GET", path, as: "ada")
        #expect(reply.verdict == (shape == .notFound ? "404 M_NOT_FOUND" : "200"))
        if shape != .notFound { #expect(reply.text == content) }
        #expect(
            try await bench.told("GET", "\(GatewayBench.own)/presence/list", as: "ada").contains(
                #""presence":\#(content)}"#))

        await bench.runtime.submit(
            .presence(.remoteReported(cleo, Presence(state: .online, lastActive: bench.clock.now), goodUntil: nil)))
        bench.clock.move(by: .minutes(3))
        await bench.runtime.submit(.presence(.remoteLapsed(cleo, .promiseLapsed)))
        let stream = try await bench.told("GET", "\(GatewayBench.own)/presence/stream?timeout=0", as: "ada")
        let since = bench.clock.now.millisecondsSinceEpoch
        #expect(
            stream.contains(
                #""sender":"@cleo:other.org","content":{"presence":"\#(word)","org.presenced.state":"unknown","#
                    + #""org.presenced.unknown":{"reason":"promise_lapsed","since_ts":\#(since)}}}"#), "\(stream)")
    }
}
