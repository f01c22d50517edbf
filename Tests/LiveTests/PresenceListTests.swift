import Foundation
import MatrixWire
import PresenceModel
import Testing

/// One presenced of its own process; users do what the README says, over HTTP.
@Suite(.serialized) struct `Presence lists` {
    struct Home {
        var scene: Scene
        var server: Presenced
        var ada: Presenced.User
        var ben: Presenced.User

        func ask(_ method: String, _ path: String, as user: Presenced.User, json: String? = nil) async throws -> Reply {
            try await scene.client.ask(
                method, "\(server.url)/_matrix/client/\(path)", token: user.token, body: json.map { Array($0.utf8) })
        }

        static func id(_ user: Presenced.User) -> String { PercentEncoding.encode(user.id) }
    }

    static func home() async throws -> Home {
        let scene = try Scene()
        let ports = try Scene.freePorts(3)
        let files = try scene.authority.issue(label: "home", names: ["localhost"])
        let settings = Presenced.Settings(
            name: "localhost:\(ports[1])", clientPort: ports[0], federationPort: ports[1], adminPort: ports[2],
            certificate: files.certificate, certificateKey: files.key, authority: scene.authority.path)
        let server = try await Presenced.start(settings, label: "home", in: scene)
        return Home(
            scene: scene, server: server, ada: try await server.user("ada"), ben: try await server.user("ben"))
    }

    @Test(.timeLimit(.minutes(1))) func `go from a question to an answer, and back`() async throws {
        let home = try await `Presence lists`.home()
        let (server, ada, ben) = (home.server, home.ada, home.ben)
        #expect(try await server.put(ada, "online", text: "tea").status == 200)

        // Ben asks; before the answer he sees nothing.
        let asked = try await server.own(
            "PUT", "list/\(Home.id(ada))", as: ben, json: #"{"note":"it is me","acl":"friends:7"}"#)
        #expect(asked.status == 200 && asked.json["state"]?.string == "pending", "\(asked.text)")
        #expect(try await server.status(of: ada.id, by: ben).status == 403)
        let requests = try await server.own("GET", "list/requests", as: ada).json["requests"]?.array ?? []
        #expect(requests.count == 1 && requests.first?["note"]?.string == "it is me")

        // Ada says yes; Ben's list says so, and shows her.
        #expect(try await server.own("POST", "list/requests/\(Home.id(ben))/accept", as: ada).status == 200)
        let entry = try await server.own("GET", "list/\(Home.id(ada))", as: ben).json
        #expect(entry["state"]?.string == "accepted" && entry["acl"]?.string == "friends:7")
        #expect(entry["presence"]?["status_msg"]?.string == "tea")
        try await server.waits(for: ada.id, toBe: "online", text: "tea", as: ben)

        // And takes it back.
        #expect(try await server.own("GET", "list/grants", as: ada).text.contains(ben.id))
        #expect(try await server.own("DELETE", "list/grants/\(Home.id(ben))", as: ada).status == 200)
        #expect(try await server.status(of: ada.id, by: ben).status == 403)
        #expect(try await server.entryState(of: ada.id, by: ben) == "denied")

        // For good: the next question is answered before it is asked.
        #expect(try await server.own("PUT", "list/blocks/\(Home.id(ben))", as: ada).status == 200)
        #expect(try await server.add(ada.id, by: ben).json["state"]?.string == "denied")
        #expect(try await server.own("GET", "list/requests", as: ada).json["requests"]?.array?.isEmpty == true)
        #expect(try await server.own("DELETE", "list/\(Home.id(ada))", as: ben).status == 200)
        #expect(try await server.own("GET", "list", as: ben).json["entries"]?.array?.isEmpty == true)
        #expect(await server.child.stop() == 0)
    }

    @Test(.timeLimit(.minutes(1))) func `answer the endpoints of 2015 in their own form`() async throws {
        let home = try await `Presence lists`.home()
        let (server, ada, ben) = (home.server, home.ada, home.ben)
        for prefix in ["r0", "api/v1", "unstable"] {
            let path = "\(prefix)/presence/list/\(Home.id(ada))"
            let invited = try await home.ask("POST", path, as: ada, json: #"{"invite":["\#(ben.id)"]}"#)
            #expect(invited.status == 200 && invited.text == "{}", "\(invited.text)")
            // Only what is accepted is listed.
            #expect(try await home.ask("GET", path, as: ada).text == "[]")
            #expect(try await server.own("POST", "list/requests/\(Home.id(ada))/accept", as: ben).status == 200)
            let listed = try await home.ask("GET", path, as: ada).json.array ?? []
            #expect(listed.count == 1 && listed.first?["accepted"]?.bool == true)
            #expect(listed.first?["user_id"]?.string == ben.id && listed.first?["presence"]?.string == "offline")
            #expect(try await home.ask("GET", path, as: ben).status == 400)
            #expect(try await home.ask("POST", path, as: ada, json: #"{"drop":["\#(ben.id)"]}"#).status == 200)
            #expect(try await home.ask("GET", path, as: ada).text == "[]")
            #expect(try await server.own("DELETE", "list/grants/\(Home.id(ada))", as: ben).status == 200)
        }
        #expect(await server.child.stop() == 0)
    }

    @Test(.timeLimit(.minutes(1))) func `keep everything through kill -9`() async throws {
        var home = try await `Presence lists`.home()
        let (ada, ben) = (home.ada, home.ben)
        #expect(try await home.server.put(ada, "online", text: "tea").status == 200)
        for (one, other) in [(ada, ben), (ben, ada)] {
            #expect(try await home.server.add(other.id, by: one).status == 200)
        }
        #expect(try await home.server.own("PUT", "list/groups/vips", as: ada, json: "{}").status == 200)
        #expect(try await home.server.own("PUT", "list/groups/vips/members/\(Home.id(ben))", as: ada).status == 200)
        #expect(try await home.server.own("PUT", "list/policy", as: ada, json: #"{"policy":"deny_all"}"#).status == 200)
        let policy = #"{"busy":{"group":"vips"},"offline":"nobody"}"#
        let own = "unstable/org.presenced"
        #expect(try await home.ask("PUT", "\(own)/contact_policy", as: ada, json: policy).status == 200)
        let override = "unstable/support.feline.msc4043.v1/presence/\(Home.id(ada))/override"
        let insists = #"{"presence_override":"busy","status_msg":"writing","org.presenced.timeout_ms":3600000}"#
        #expect(try await home.ask("PUT", override, as: ada, json: insists).status == 200)
        let type = #"{"type":"desktop"}"#
        #expect(try await home.ask("PUT", "\(own)/devices/TEST/presence", as: ada, json: type).status == 200)
        try await home.server.share("!room:\(home.server.settings.name)", [ada.id, "@far:elsewhere.example"])

        await home.server.child.stop(signal: SIGKILL)
        home.server = try await home.server.restarted()
        let status = try await home.server.status(of: ada.id, by: ben).json
        #expect(status["status_msg"]?.string == "writing")
        #expect(status["presence"]?.string == "org.matrix.msc3026.busy")
        #expect(status["last_active_ago"]?.integer ?? .max < 120_000)
        let lists = try await home.server.own("GET", "list?group=vips", as: ada).json["entries"]?.array ?? []
        #expect(lists.map { $0["user_id"]?.string } == [ben.id])
        #expect(try await home.server.own("GET", "list/policy", as: ada).json["policy"]?.string == "deny_all")
        let check = #"{"to":"\#(ada.id)"}"#
        let allowed = try await home.ask("POST", "\(own)/contact_policy/check", as: ben, json: check)
        #expect(allowed.json["allowed"]?.bool == true, "\(allowed.text)")
        let device = try await home.ask("GET", "\(own)/devices/TEST/presence", as: ada)
        #expect(device.json["type"]?.string == "desktop", "\(device.text)")
        let members = try await home.scene.client.ask(
            "GET",
            "\(home.server.adminURL)/rooms/\(PercentEncoding.encode("!room:\(home.server.settings.name)"))/members",
            token: try home.server.adminToken)
        #expect(members.json["members"]?.array?.count == 2, "\(members.text)")
        #expect(await home.server.child.stop() == 0)
    }

    @Test(.timeLimit(.minutes(1))) func `show a hidden user as one who is offline, byte for byte`() async throws {
        let home = try await `Presence lists`.home()
        let (server, ada, ben) = (home.server, home.ada, home.ben)
        let cat = try await server.user("cat")
        for user in [ada, cat] {
            #expect(try await server.add(user.id, by: ben).status == 200)
            #expect(try await server.own("POST", "list/requests/\(Home.id(ben))/accept", as: user).status == 200)
            #expect(try await server.put(user, "online", text: "here").status == 200)
        }
        let body = #"{"presence":"offline","org.presenced.state":"hidden","status_msg":"secret"}"#
        let path = "v3/presence/\(Home.id(ada))/status"
        #expect(try await home.ask("PUT", path, as: ada, json: body).status == 200)
        #expect(try await server.put(cat, "offline").status == 200)
        #expect(try await home.ask("GET", path, as: ada).json["org.presenced.state"]?.string == "hidden")
        let before = try await server.own("GET", "stream?since=&timeout=0", as: ben)
        // The hidden one is busy doing things; the other is gone.
        for type in ["mobile", "web"] {
            let report = #"{"type":"\#(type)","active":true}"#
            let device = "unstable/org.presenced/devices/TEST/presence"
            #expect(try await home.ask("PUT", device, as: ada, json: report).status == 200)
            #expect(try await server.own("GET", "stream?timeout=0", as: ada).status == 200)
            #expect(try await home.ask("PUT", path, as: ada, json: body).status == 200)
        }
        let seen = try await server.status(of: ada.id, by: ben).text
        #expect(try await server.status(of: cat.id, by: ben).text == seen && !seen.contains("secret"))
        let since = try #require(before.json["next_batch"]?.string)
        let after = try await server.own("GET", "stream?since=\(since)&timeout=0", as: ben)
        #expect(after.text == #"{"events":[],"next_batch":"\#(since)"}"#)
        let lines = before.json["events"]?.array ?? []
        let contents = [ada, cat].map { user in lines.first { $0["sender"]?.string == user.id }?["content"] }
        #expect(contents[0] == contents[1] && contents[0] != nil)
        #expect(await server.child.stop() == 0)
    }

    @Test(.timeLimit(.minutes(1))) func `are asked by the operator with the operator's token only`() async throws {
        let home = try await `Presence lists`.home()
        let (server, ada, ben) = (home.server, home.ada, home.ben)
        let attributes = try FileManager.default.attributesOfItem(
            atPath: "\(server.folder)/presenced-data/admin.token")
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        let rooms = "\(server.adminURL)/rooms"
        #expect(try await home.scene.client.ask("GET", rooms).status == 401)
        #expect(try await home.scene.client.ask("GET", rooms, token: ada.token).status == 401)
        #expect(try await server.status(of: ada.id, by: ben).status == 403)
        try await server.share("!hall:\(server.settings.name)", [ada.id, ben.id])
        #expect(try await server.status(of: ada.id, by: ben).status == 200)
        let room = PercentEncoding.encode("!hall:\(server.settings.name)")
        let gone = try await home.scene.client.ask("DELETE", "\(rooms)/\(room)", token: try server.adminToken)
        #expect(gone.status == 200)
        #expect(try await server.status(of: ada.id, by: ben).status == 403)
        // Not at the port for clients.
        #expect(try await home.scene.client.ask("GET", "\(server.url)/_presenced/admin/v1/rooms").status == 404)
        #expect(await server.child.stop() == 0)
    }
}
