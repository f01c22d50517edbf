import PresenceModel
import Yams

// Values that are several: one line each.
extension ValueForm where Value == [ServerName: NetworkAddress] {
    static var addressesByServer: ValueForm {
        ValueForm(rule: "server names, each with host:port") { (node, folder) throws(ValueProblem) in
            guard !node.isNull else { return [:] }
            guard case .mapping(let mapping) = node else {
                throw ValueProblem(message: "is a list of lines such as example.org: 10.0.0.1:8448, indented")
            }
            var addresses: Value = [:]
            for (key, value) in mapping {
                let server = try ValueForm<ServerName>.serverName.read(key, folder)
                let address = try ValueForm<NetworkAddress>.address.read(value, folder)
                guard address.port > 0 else { throw ValueProblem(message: "'\(address)' needs a port above 0") }
                addresses[server] = address
            }
            return addresses
        } write: { addresses in
            let pairs = addresses.sorted { $0.key < $1.key }.map { "\($0.key.text): \"\($0.value)\"" }
            return "{\(pairs.joined(separator: ", "))}"
        }
    }
}

extension ValueForm where Value == [ServerName: ListPolicy] {
    static var policiesByServer: ValueForm {
        let names = ListPolicy.allCases.map(\.rawValue).joined(separator: ", ")
        return ValueForm(rule: "server names, each with one of \(names)") { (node, folder) throws(ValueProblem) in
            guard case .mapping(let mapping) = node else {
                throw ValueProblem(message: "is a list of lines such as example.org: deny_all, indented; {} for none")
            }
            var policies: Value = [:]
            for (key, value) in mapping {
                let server = try ValueForm<ServerName>.serverName.read(key, folder)
                policies[server] = try ValueForm<ListPolicy>.choice.read(value, folder)
            }
            return policies
        } write: { policies in
            let pairs = policies.sorted { $0.key < $1.key }.map { "\($0.key.text): \($0.value.rawValue)" }
            return "{\(pairs.joined(separator: ", "))}"
        }
    }
}

extension ValueForm where Value == [RoomID] {
    static var rooms: ValueForm {
        ValueForm(rule: "a list of room identifiers") { (node, _) throws(ValueProblem) in
            guard case .sequence(let sequence) = node else {
                throw ValueProblem(message: "is a list of lines such as - \"!room:example.org\", indented; [] for none")
            }
            var rooms: Value = []
            for element in sequence {
                guard case .scalar(let scalar) = element, let room = try? RoomID(parsing: scalar.string) else {
                    throw ValueProblem(message: "holds what is no room identifier; write \"!room:example.org\"")
                }
                rooms.append(room)
            }
            return rooms
        } write: { rooms in
            "[\(rooms.map { "\"\($0.text)\"" }.joined(separator: ", "))]"
        }
    }
}
