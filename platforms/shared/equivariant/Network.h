// The network of a coupling (EquivariantCouplingModel), for as many samples at once as STRIDE reals hold.
// Included inside a namespace after ResidualNetwork.h. No include guard: each meaning of `real` includes it
// once.

struct Block {
    Block(const EquivariantCouplingModel::BlockPlace& place, const double* parameters)
        : receiver(place.receiver, parameters),
          sender(place.sender, parameters),
          distances(place.distances, parameters),
          edge(place.edge, parameters),
          gate(place.gate),
          shift(place.shift, parameters),
          shiftOutput(place.shiftOutput, parameters),
          hasCross(place.crossOutput.outputs > 0),
          node(place.node, parameters),
          nodeOutput(place.nodeOutput, parameters) {
        const double* weight = parameters + gate.weight;
        gateWeight.assign(weight, weight + gate.inputs);
        gateBias = parameters[gate.bias];
        if (hasCross) {
            cross = Residual(place.cross, parameters);
            crossOutput = Layer(place.crossOutput, parameters);
        }
    }
    Layer receiver, sender, distances, edge;
    LayerPlace gate;
    std::vector<Scalar> gateWeight;
    Scalar gateBias;
    Residual shift;
    Layer shiftOutput;
    bool hasCross;
    Residual cross;
    Layer crossOutput;
    Residual node;
    Layer nodeOutput;
};

/** The weights of a network. Shared by all threads. */
struct Network {
    Network(const EquivariantCouplingModel& model, const EquivariantCouplingModel::CouplingPlace& place)
        : types(model.getParticles().types), conditioning(place.conditioning), embedding(place.embedding) {
        const double* parameters = model.getParameters().data();
        const double* table = parameters + place.embedding;
        embeddings.assign(table, table + (size_t)model.getNumTypes() * model.getOptions().features);
        for (const auto& block : place.blocks)
            blocks.emplace_back(block, parameters);
        numVectors = model.getNumVectors(place);
        const int vectorsPerCloud = numVectors / (int)place.transformed.size();
        for (int k = 0; k < numVectors; k++)
            sources.push_back(k / vectorsPerCloud % (int)conditioning.size());
    }
    std::vector<int> types, conditioning;
    size_t embedding;
    std::vector<Scalar> embeddings;
    std::vector<Block> blocks;
    int numVectors;
    /** For each vector, which of the conditioning clouds it starts on. */
    std::vector<int> sources;
};

/** Networks of one size on their way through a few samples. Each thread has its own. */
class NetworkState {
public:
    NetworkState(const EquivariantCouplingModel& model, int numVectors, int numClouds)
        : numParticles(model.getNumParticles()),
          numEdges(numParticles - 1),
          numVectors(numVectors),
          numFeatures(model.getOptions().features),
          hidden(model.getOptions().hidden),
          numPairs(numVectors * (numVectors - 1) / 2),
          numDistances(std::max(numVectors, numClouds)),
          nodeInput(numFeatures + numPairs, numParticles),
          firstNodeInput(numFeatures, numParticles),
          senderTerms(hidden, numParticles),
          receiverTerms(hidden, numParticles),
          displacements(3 * numDistances, numEdges),
          lengths(numDistances, numEdges),
          distances(numVectors, numEdges),
          cloudDistances(numClouds, numEdges),
          gates(1, numEdges),
          factors(numVectors, numEdges),
          crossFactors(numVectors * (numVectors - 1), numParticles),
          updateInput(hidden + numFeatures, numParticles),
          edge(hidden, numEdges),
          shift(hidden, numEdges),
          cross(hidden, numParticles),
          node(hidden, numParticles) {
        for (int b = 0; b <= model.getOptions().blocks; b++) {
            vectors.emplace_back(3 * numVectors, numParticles);
            features.emplace_back(numFeatures, numParticles);
            messages.emplace_back(hidden, numParticles);
        }
    }
    /** Evaluate a network on the points (3 a cloud, particles). */
    void evaluate(const Network& network, const Items& given) {
        points = &given;
        for (int v = 0; v < numParticles * STRIDE; v++) {
            const Scalar* embedding = &network.embeddings[(size_t)network.types[v / STRIDE] * numFeatures];
            for (int f = 0; f < numFeatures; f++)
                features[0].at(f, v) = real(embedding[f]);
            for (int k = 0; k < numVectors; k++)
                vectors[0].setPoint(3 * k, v, given.point(3 * network.conditioning[network.sources[k]], v));
        }
        for (size_t b = 0; b < network.blocks.size(); b++)
            evaluateBlock(network, b);
    }
    const Items& getFeatures() const { return features.back(); }
    /** Get how far vector k has moved. */
    real3 getMove(int k, int v) const {
        return vectors.back().point(3 * k, v) - vectors.front().point(3 * k, v);
    }

    /** What the moves and the features are worth, to be set before backpropagate(). */
    void clearAdjoints() {
        if (vectorsAdjoint.getNumRows() == 0)
            prepareAdjoints();
        vectorsAdjoint.fill(0);
        featuresAdjoint.fill(0);
    }
    void addMoveAdjoint(int k, int v, real3 worth) { vectorsAdjoint.addPoint(3 * k, v, worth); }
    Items& getFeaturesAdjoint() { return featuresAdjoint; }
    /** From there to what the points are worth, which is added to `pointsAdjoint`. The network must have been
     * evaluated on these points, which must still be there. */
    void backpropagate(const Network& network, Items& pointsAdjoint, WeightGradient* gradient) {
        for (int k = 0; k < numVectors; k++)
            for (int v = 0; v < numParticles * STRIDE; v++)
                pointsAdjoint.addPoint(3 * network.conditioning[network.sources[k]], v,
                                       real(-1.0) * vectorsAdjoint.point(3 * k, v));
        for (int b = (int)network.blocks.size() - 1; b >= 0; b--)
            backpropagateBlock(network, b, pointsAdjoint, gradient);
        for (int k = 0; k < numVectors; k++)
            for (int v = 0; v < numParticles * STRIDE; v++)
                pointsAdjoint.addPoint(3 * network.conditioning[network.sources[k]], v,
                                       vectorsAdjoint.point(3 * k, v));
        if (gradient != nullptr)
            for (int i = 0; i < numParticles; i++)
                gradient->addRows(network.embedding + (size_t)network.types[i] * numFeatures, featuresAdjoint,
                                  i);
    }

private:
    /** Particle j of edge e to particle i. */
    static int getSender(int e, int i) { return e + (e >= i); }
    /** The displacements between particles are those of the clouds in block 0, later those of the vectors. */
    int countDisplacements(const Network& network, size_t b) const {
        return b == 0 ? (int)network.conditioning.size() : numVectors;
    }
    /** Which of them belongs to vector k. */
    static int getDisplacement(const Network& network, size_t b, int k) {
        return b == 0 ? network.sources[k] : k;
    }
    /** Where displacement d comes from, among the points or the vectors. */
    static int getDisplacementRow(const Network& network, size_t b, int d) {
        return 3 * (b == 0 ? network.conditioning[d] : d);
    }
    static real squareOf(real3 d) { return dotProduct(d, d); }
    /** What the network sees of a distance: of the order of the square where that is small, and slowly
     * growing where it is large, so that a stray particle upsets no other. */
    static real featureOf(real square) { return LOG(real(1.0) + square); }
    static real featureDerivative(real square) { return real(1.0) / (real(1.0) + square); }
    real normalizeShift() const { return real(1.0 / numEdges); }
    real normalizeMessage() const { return real(1 / std::sqrt((double)numEdges)); }

    const Items& makeNodeInput(const Block& block, size_t b) {
        Items& input = block.hasCross ? nodeInput : firstNodeInput;
        for (int v = 0; v < numParticles * STRIDE; v++) {
            for (int f = 0; f < numFeatures; f++)
                input.at(f, v) = features[b].at(f, v);
            if (!block.hasCross)
                continue;
            int row = numFeatures;
            for (int k = 0; k < numVectors; k++)
                for (int l = k + 1; l < numVectors; l++)
                    input.at(row++, v) =
                        featureOf(squareOf(vectors[b].point(3 * k, v) - vectors[b].point(3 * l, v)));
        }
        return input;
    }

    /** The messages to particle i, and by how much they move its vectors. */
    void evaluateEdges(const Network& network, size_t b, int i) {
        const Block& block = network.blocks[b];
        Items& distance = b == 0 ? cloudDistances : distances;
        const Items& origin = b == 0 ? *points : vectors[b];
        for (int d = 0; d < countDisplacements(network, b); d++)
            for (int v = 0; v < numEdges * STRIDE; v++) {
                const int e = v / STRIDE, h = v % STRIDE, row = getDisplacementRow(network, b, d);
                const real3 displacement =
                    origin.point(row, i * STRIDE + h) - origin.point(row, getSender(e, i) * STRIDE + h);
                displacements.setPoint(3 * d, v, displacement);
                const real square = squareOf(displacement);
                distance.at(d, v) = featureOf(square);
                lengths.at(d, v) = SQRT(square);
            }
        block.distances.weight.multiply(distance.begin(), numEdges, [&](int row, int v, real y) {
            const int e = v / STRIDE, h = v % STRIDE;
            edge.argument.at(row, v) =
                y + receiverTerms.at(row, i * STRIDE + h) + senderTerms.at(row, getSender(e, i) * STRIDE + h);
        });
        edge.evaluate(block.edge, numEdges);
        block.shift.first.weight.multiply(edge.output.begin(), numEdges,
                                          [&](int row, int v, real y) { shift.argument.at(row, v) = y; });
        shift.evaluate(block.shift.second, numEdges);
        block.shiftOutput.weight.multiply(shift.output.begin(), numEdges,
                                          [&](int k, int v, real y) { factors.at(k, v) = y; });
        for (int v = 0; v < numEdges * STRIDE; v++) {
            real sum = real(block.gateBias);
            for (int row = 0; row < hidden; row++)
                sum = sum + real(block.gateWeight[row]) * edge.output.at(row, v);
            gates.at(0, v) = sigmoid(sum);
        }
    }

    void evaluateBlock(const Network& network, size_t b) {
        const Block& block = network.blocks[b];
        const Items& input = makeNodeInput(block, b);
        block.sender.weight.multiply(input.begin(), numParticles,
                                     [&](int row, int v, real y) { senderTerms.at(row, v) = y; });
        block.receiver.weight.multiply(input.begin(), numParticles,
                                       [&](int row, int v, real y) { receiverTerms.at(row, v) = y; });
        Items &next = vectors[b + 1], &message = messages[b];
        for (int i = 0; i < numParticles; i++) {
            evaluateEdges(network, b, i);
            for (int h = 0; h < STRIDE; h++) {
                const int to = i * STRIDE + h;
                for (int k = 0; k < numVectors; k++) {
                    const int d = getDisplacement(network, b, k);
                    real3 sum = make_real3(real(0.0), real(0.0), real(0.0));
                    for (int v = h; v < numEdges * STRIDE; v += STRIDE)
                        sum = sum
                              + factors.at(k, v) / (real(1.0) + lengths.at(d, v))
                                    * displacements.point(3 * d, v);
                    next.setPoint(3 * k, to, vectors[b].point(3 * k, to) + normalizeShift() * sum);
                }
                for (int row = 0; row < hidden; row++) {
                    real sum = real(0.0);
                    for (int v = h; v < numEdges * STRIDE; v += STRIDE)
                        sum = sum + gates.at(0, v) * edge.output.at(row, v);
                    message.at(row, to) = normalizeMessage() * sum;
                }
            }
        }
        if (block.hasCross) {
            evaluateCross(block, b);
            for (int v = 0; v < numParticles * STRIDE; v++)
                forEachCross(b, v, [&](int k, int, int row, real3 d, real weight) {
                    next.addPoint(3 * k, v, crossFactors.at(row, v) * weight * d);
                });
        }
        evaluateUpdate(block, b);
        block.nodeOutput.weight.multiply(node.output.begin(), numParticles, [&](int f, int v, real y) {
            features[b + 1].at(f, v) = features[b].at(f, v) + y;
        });
    }

    void evaluateCross(const Block& block, size_t b) {
        block.cross.first.weight.multiply(messages[b].begin(), numParticles,
                                          [&](int row, int v, real y) { cross.argument.at(row, v) = y; });
        cross.evaluate(block.cross.second, numParticles);
        block.crossOutput.weight.multiply(cross.output.begin(), numParticles,
                                          [&](int row, int v, real y) { crossFactors.at(row, v) = y; });
    }

    /** Call visit(k, l, row, v_k - v_l, weight) for all pairs k != l of vectors of one particle. */
    template <class Visit>
    void forEachCross(size_t b, int v, const Visit& visit) const {
        int row = 0;
        for (int k = 0; k < numVectors; k++)
            for (int l = 0; l < numVectors; l++)
                if (l != k) {
                    const real3 d = vectors[b].point(3 * k, v) - vectors[b].point(3 * l, v);
                    visit(k, l, row++, d, real(1.0 / (numVectors - 1)) / (real(1.0) + squareOf(d)));
                }
    }

    void evaluateUpdate(const Block& block, size_t b) {
        for (int v = 0; v < numParticles * STRIDE; v++) {
            for (int row = 0; row < hidden; row++)
                updateInput.at(row, v) = messages[b].at(row, v);
            for (int f = 0; f < numFeatures; f++)
                updateInput.at(hidden + f, v) = features[b].at(f, v);
        }
        block.node.first.weight.multiply(updateInput.begin(), numParticles,
                                         [&](int row, int v, real y) { node.argument.at(row, v) = y; });
        node.evaluate(block.node.second, numParticles);
    }

    void prepareAdjoints() {
        vectorsAdjoint = previousAdjoint = Items(3 * numVectors, numParticles);
        featuresAdjoint = Items(numFeatures, numParticles);
        messageAdjoint = senderAdjoint = receiverAdjoint = Items(hidden, numParticles);
        crossAdjoint = Items(numVectors * (numVectors - 1), numParticles);
        factorsAdjoint = Items(numVectors, numEdges);
        gatesAdjoint = Items(1, numEdges);
        displacementsAdjoint = Items(3 * numDistances, numEdges);
        nodeInputAdjoint = Items(numFeatures + numPairs, numParticles);
    }

    void backpropagateBlock(const Network& network, size_t b, Items& pointsAdjoint,
                            WeightGradient* gradient) {
        const Block& block = network.blocks[b];
        previousAdjoint = vectorsAdjoint;
        backpropagateUpdate(block, b, gradient);
        if (block.hasCross)
            backpropagateCross(block, b, gradient);
        const Items& input = makeNodeInput(block, b);
        block.sender.weight.multiply(input.begin(), numParticles,
                                     [&](int row, int v, real y) { senderTerms.at(row, v) = y; });
        block.receiver.weight.multiply(input.begin(), numParticles,
                                       [&](int row, int v, real y) { receiverTerms.at(row, v) = y; });
        senderAdjoint.fill(0);
        receiverAdjoint.fill(0);
        for (int i = 0; i < numParticles; i++)
            backpropagateEdges(network, b, i, b == 0 ? pointsAdjoint : previousAdjoint, gradient);
        if (gradient != nullptr) {
            gradient->add(block.sender.place, senderAdjoint.begin(), input.begin(), numParticles);
            gradient->add(block.receiver.place, receiverAdjoint.begin(), input.begin(), numParticles);
        }
        block.sender.transposed.multiply(senderAdjoint.begin(), numParticles,
                                         [&](int row, int v, real y) { nodeInputAdjoint.at(row, v) = y; });
        block.receiver.transposed.multiply(
            receiverAdjoint.begin(), numParticles,
            [&](int row, int v, real y) { nodeInputAdjoint.at(row, v) = nodeInputAdjoint.at(row, v) + y; });
        for (int v = 0; v < numParticles * STRIDE; v++) {
            for (int f = 0; f < numFeatures; f++)
                featuresAdjoint.at(f, v) = featuresAdjoint.at(f, v) + nodeInputAdjoint.at(f, v);
            if (!block.hasCross)
                continue;
            int row = numFeatures;
            for (int k = 0; k < numVectors; k++)
                for (int l = k + 1; l < numVectors; l++) {
                    const real3 d = vectors[b].point(3 * k, v) - vectors[b].point(3 * l, v);
                    const real3 worth =
                        real(2.0) * nodeInputAdjoint.at(row++, v) * featureDerivative(squareOf(d)) * d;
                    previousAdjoint.addPoint(3 * k, v, worth);
                    previousAdjoint.addPoint(3 * l, v, real(-1.0) * worth);
                }
        }
        std::swap(vectorsAdjoint, previousAdjoint);
    }

    void backpropagateUpdate(const Block& block, size_t b, WeightGradient* gradient) {
        evaluateUpdate(block, b);
        if (gradient != nullptr)
            gradient->add(block.nodeOutput.place, featuresAdjoint.begin(), node.output.begin(), numParticles);
        block.nodeOutput.transposed.multiply(featuresAdjoint.begin(), numParticles,
                                             [&](int row, int v, real y) { node.adjoint.at(row, v) = y; });
        node.backpropagate(block.node.second, numParticles, gradient);
        if (gradient != nullptr)
            gradient->add(block.node.first.place, node.adjoint.begin(), updateInput.begin(), numParticles);
        block.node.first.transposed.multiply(node.adjoint.begin(), numParticles, [&](int row, int v, real y) {
            if (row < hidden)
                messageAdjoint.at(row, v) = y;
            else
                featuresAdjoint.at(row - hidden, v) = featuresAdjoint.at(row - hidden, v) + y;
        });
    }

    void backpropagateCross(const Block& block, size_t b, WeightGradient* gradient) {
        evaluateCross(block, b);
        for (int v = 0; v < numParticles * STRIDE; v++)
            forEachCross(b, v, [&](int k, int l, int row, real3 d, real weight) {
                const real3 given = vectorsAdjoint.point(3 * k, v);
                const real along = dotProduct(given, d), factor = crossFactors.at(row, v);
                crossAdjoint.at(row, v) = weight * along;
                const real3 worth =
                    factor * weight * (given - real(2.0 * (numVectors - 1)) * weight * along * d);
                previousAdjoint.addPoint(3 * k, v, worth);
                previousAdjoint.addPoint(3 * l, v, real(-1.0) * worth);
            });
        if (gradient != nullptr)
            gradient->add(block.crossOutput.place, crossAdjoint.begin(), cross.output.begin(), numParticles);
        block.crossOutput.transposed.multiply(crossAdjoint.begin(), numParticles,
                                              [&](int row, int v, real y) { cross.adjoint.at(row, v) = y; });
        cross.backpropagate(block.cross.second, numParticles, gradient);
        if (gradient != nullptr)
            gradient->add(block.cross.first.place, cross.adjoint.begin(), messages[b].begin(), numParticles);
        block.cross.first.transposed.multiply(
            cross.adjoint.begin(), numParticles,
            [&](int row, int v, real y) { messageAdjoint.at(row, v) = messageAdjoint.at(row, v) + y; });
    }

    void backpropagateEdges(const Network& network, size_t b, int i, Items& originAdjoint,
                            WeightGradient* gradient) {
        const Block& block = network.blocks[b];
        const int count = countDisplacements(network, b);
        evaluateEdges(network, b, i);
        for (int v = 0; v < numEdges * STRIDE; v++)
            backpropagateShifts(network, b, i, v, count);
        if (gradient != nullptr)
            gradient->add(block.shiftOutput.place, factorsAdjoint.begin(), shift.output.begin(), numEdges);
        block.shiftOutput.transposed.multiply(factorsAdjoint.begin(), numEdges,
                                              [&](int row, int v, real y) { shift.adjoint.at(row, v) = y; });
        shift.backpropagate(block.shift.second, numEdges, gradient);
        if (gradient != nullptr) {
            gradient->add(block.shift.first.place, shift.adjoint.begin(), edge.output.begin(), numEdges);
            gradient->add(block.gate, gatesAdjoint.begin(), edge.output.begin(), numEdges);
        }
        block.shift.first.transposed.multiply(shift.adjoint.begin(), numEdges, [&](int row, int v, real y) {
            edge.adjoint.at(row, v) =
                y + real(block.gateWeight[row]) * gatesAdjoint.at(0, v)
                + normalizeMessage() * gates.at(0, v) * messageAdjoint.at(row, i * STRIDE + v % STRIDE);
        });
        edge.backpropagate(block.edge, numEdges, gradient);
        const Items& distance = b == 0 ? cloudDistances : distances;
        if (gradient != nullptr)
            gradient->add(block.distances.place, edge.adjoint.begin(), distance.begin(), numEdges);
        block.distances.transposed.multiply(edge.adjoint.begin(), numEdges, [&](int d, int v, real y) {
            const real3 displacement = displacements.point(3 * d, v);
            displacementsAdjoint.addPoint(
                3 * d, v, real(2.0) * y * featureDerivative(squareOf(displacement)) * displacement);
        });
        for (int e = 0; e < numEdges; e++)
            for (int h = 0; h < STRIDE; h++) {
                const int v = e * STRIDE + h, to = i * STRIDE + h, from = getSender(e, i) * STRIDE + h;
                for (int row = 0; row < hidden; row++) {
                    const real worth = edge.adjoint.at(row, v);
                    receiverAdjoint.at(row, to) = receiverAdjoint.at(row, to) + worth;
                    senderAdjoint.at(row, from) = senderAdjoint.at(row, from) + worth;
                }
                for (int d = 0; d < count; d++) {
                    const int row = getDisplacementRow(network, b, d);
                    const real3 worth = displacementsAdjoint.point(3 * d, v);
                    originAdjoint.addPoint(row, to, worth);
                    originAdjoint.addPoint(row, from, real(-1.0) * worth);
                }
            }
    }

    /** What the factors, the gate and, in part, the displacements of an edge are worth. */
    void backpropagateShifts(const Network& network, size_t b, int i, int v, int count) {
        const int to = i * STRIDE + v % STRIDE;
        for (int d = 0; d < count; d++)
            displacementsAdjoint.setPoint(3 * d, v, make_real3(real(0.0), real(0.0), real(0.0)));
        for (int k = 0; k < numVectors; k++) {
            const int d = getDisplacement(network, b, k);
            const real3 given = normalizeShift() * vectorsAdjoint.point(3 * k, to);
            const real3 displacement = displacements.point(3 * d, v);
            const real length = lengths.at(d, v), weight = real(1.0) / (real(1.0) + length);
            const real along = dotProduct(given, displacement);
            factorsAdjoint.at(k, v) = weight * along;
            // Two particles in one place have no direction, and their distance no slope.
            const real slope = SELECT(length > real(0.0), weight * weight * along / length, real(0.0));
            displacementsAdjoint.addPoint(3 * d, v,
                                          factors.at(k, v) * (weight * given - slope * displacement));
        }
        real sum = real(0.0);
        for (int row = 0; row < hidden; row++)
            sum = sum + messageAdjoint.at(row, to) * edge.output.at(row, v);
        const real gate = gates.at(0, v);
        gatesAdjoint.at(0, v) = normalizeMessage() * sum * gate * (real(1.0) - gate);
    }

    int numParticles, numEdges, numVectors, numFeatures, hidden, numPairs, numDistances;
    const Items* points = nullptr;
    /** Before each block, and after the last. */
    std::vector<Items> vectors, features, messages;
    Items nodeInput, firstNodeInput, senderTerms, receiverTerms;
    Items displacements, lengths, distances, cloudDistances, gates, factors, crossFactors, updateInput;
    ResidualState edge, shift, cross, node;
    Items vectorsAdjoint, previousAdjoint, featuresAdjoint, messageAdjoint, senderAdjoint, receiverAdjoint,
        crossAdjoint, factorsAdjoint, gatesAdjoint, displacementsAdjoint, nodeInputAdjoint;
};
