/// Ports and modules. Errors in the reference implementation's words. dcl-rpc: life of a connection, errors.
extension RPCServerConnection {
    mutating func createPort(_ name: String, _ number: MessageNumber, into effects: inout [Effect]) {
        guard name.utf8.count <= configuration.nameBytesLimit else {
            return refuse(number, "The name of the port is too long", into: &effects)
        }
        guard ports.count < configuration.portsLimit, lastPort < .max else {
            return refuse(number, "Too many ports", into: &effects)
        }
        lastPort += 1
        ports[lastPort] = Port(name: name)
        send(number, .portCreated(port: lastPort), into: &effects)
    }

    mutating func loadModule(_ name: String, _ id: UInt32, _ number: MessageNumber, into effects: inout [Effect]) {
        guard var port = ports[id] else { return refuse(number, "Cannot find port \(id)", into: &effects) }
        guard name.utf8.count <= configuration.nameBytesLimit else {
            return refuse(number, "The name of the module is too long", into: &effects)
        }
        guard let module = modules.firstIndex(where: { $0.name == name }) else {
            let message = "Module \(name) is not available for port \(port.name) (\(id)))"
            return refuse(number, message, into: &effects)
        }
        let load: Port.Load
        if let known = port.loads.first(where: { $0.module == module }) {
            load = known
        } else {
            guard port.loads.count < configuration.modulesPerPortLimit else {
                return refuse(number, "Too many modules", into: &effects)
            }
            load = Port.Load(module: module, firstID: port.procedureCount + 1)
            port.loads.append(load)
            port.procedureCount += UInt32(modules[module].procedures.count)
            ports[id] = port
        }
        let listing = modules[module].procedures.enumerated().map { place, procedure in
            ProcedureListing(id: load.firstID + UInt32(place), name: procedure.name)
        }
        send(number, .moduleLoaded(port: id, procedures: listing), into: &effects)
    }

    /// Calls that run on the port are answered by an error and cancelled. An unknown port is none of our business.
    mutating func destroyPort(_ id: UInt32, into effects: inout [Effect]) {
        guard ports.removeValue(forKey: id) != nil else { return }
        for call in calls.values.filter({ $0.port == id }).sorted(by: { $0.id < $1.id }) {
            effects.append(.cancel(call.id))
            end(call, with: .remoteError(code: 0, message: "Port \(id) was destroyed"), into: &effects)
        }
    }

    /// Where a procedure id of a port leads.
    func place(of procedure: UInt32, on port: Port) -> (module: Int, procedure: Int)? {
        for load in port.loads {
            let count = UInt32(modules[load.module].procedures.count)
            if procedure >= load.firstID, procedure - load.firstID < count {
                return (load.module, Int(procedure - load.firstID))
            }
        }
        return nil
    }
}
