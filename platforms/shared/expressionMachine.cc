// Evaluates an ExpressionProgram on `real`s. Whoever includes this, inside a namespace, has defined there
// `real`, `Scalar` (what one lane holds), LANES, LANE_VALUES() (the lanes as an array) and the functions
// below, and has included ExpressionProgram.h, <algorithm> and <vector> outside of it.

/** An ExpressionTable in the precision of a lane. */
class ExpressionLookup {
public:
    explicit ExpressionLookup(const ExpressionTable& table)
        : table(table), coefficients(table.coefficients.begin(), table.coefficients.end()) {}

    /** The function at `numArguments` arguments, or its derivative with respect to one of them. */
    real evaluate(const real* arguments, int derivative) const {
        return table.continuous ? evaluateSpline(arguments, derivative) : evaluateDiscrete(arguments);
    }

private:
    /** Add what an axis contributes to the number of the cell. */
    void addCell(real cell, int axis, int* offsets) const {
        int stride = 1;
        for (int i = 0; i < axis; i++)
            stride *= table.cells[i];
        for (int lane = 0; lane < LANES; lane++)
            offsets[lane] += stride * (int)LANE_VALUES(cell)[lane];
    }

    /** The nearest cell there is; the first, if NaN. */
    real clampCell(real cell, int axis) const {
        cell = SELECT(cell > real(0.0), cell, real(0.0));
        const real last = table.cells[axis] - 1;
        return SELECT(cell < last, cell, last);
    }

    real gather(const Scalar* values, int size, const int* offsets) const {
        real result;
        for (int lane = 0; lane < LANES; lane++)
            LANE_VALUES(result)[lane] = values[size * offsets[lane]];
        return result;
    }

    real evaluateDiscrete(const real* arguments) const {
        int offsets[LANES] = {};
        real inside = 1.0, total = 0.0;
        for (int axis = 0; axis < table.numArguments; axis++) {
            const real x = arguments[axis];
            const real below = FLOOR(x);
            // To the nearest whole number, and away from zero halfway between two.
            const real nearest = below + SELECT(x - below >= real(0.5), real(1.0), real(0.0));
            inside = SELECT(x > real(-0.5), inside, real(0.0));
            inside = SELECT(nearest < real(table.cells[axis]), inside, real(0.0));
            addCell(clampCell(nearest, axis), axis, offsets);
            total = total + x;
        }
        real result = gather(coefficients.data(), 1, offsets);
        if (!table.clamped)
            result = SELECT(inside == real(1.0), result, real((double)NAN));
        return SELECT(total == total, result, total);
    }

    real evaluateSpline(const real* arguments, int derivative) const {
        int offsets[LANES] = {};
        real inside = 1.0;
        real weights[3][4];
        for (int axis = 0; axis < table.numArguments; axis++) {
            const real x = arguments[axis];
            const double range = table.maximum[axis] - table.minimum[axis];
            real place = (x - real(table.minimum[axis])) * real(1 / range);
            if (table.periodic)
                place = place - FLOOR(place);
            else {
                inside = SELECT(x < real(table.minimum[axis]), real(0.0), inside);
                inside = SELECT(x > real(table.maximum[axis]), real(0.0), inside);
            }
            place = place * real(table.cells[axis]);
            const real cell = clampCell(FLOOR(place), axis);
            addCell(cell, axis, offsets);
            const real t = place - cell;
            real* w = weights[axis];
            if (axis == derivative) {
                const real scale = table.cells[axis] / range;
                w[0] = 0.0;
                w[1] = scale;
                w[2] = real(2.0) * t * scale;
                w[3] = real(3.0) * t * t * scale;
            } else {
                w[0] = 1.0;
                w[1] = t;
                w[2] = t * t;
                w[3] = t * t * t;
            }
        }
        const int size = 1 << 2 * table.numArguments;
        real result = 0.0;
        for (int row = 0; row < size / 4; row++) {
            real sum = 0.0;
            for (int i = 0; i < 4; i++)
                sum = sum + weights[0][i] * gather(&coefficients[4 * row + i], size, offsets);
            if (table.numArguments > 1)
                sum = sum * weights[1][row % 4];
            if (table.numArguments > 2)
                sum = sum * weights[2][row / 4];
            result = result + sum;
        }
        return SELECT(inside == real(0.0), real(0.0), result);
    }

    const ExpressionTable& table;
    std::vector<Scalar> coefficients;
};

/**
 * An ExpressionProgram converted to `real`s. Each instruction is carried out for several of them, so that
 * finding out what it does is paid for once.
 *
 * Register i of the program lies at registers[i*numVectors] ... registers[i*numVectors + numVectors-1]. The
 * caller fills the inputs, calls evaluate(), and reads the outputs. Threads may share a machine, each with
 * registers of its own.
 */
class ExpressionMachine {
public:
    explicit ExpressionMachine(const ExpressionProgram& program) : program(program) {
        for (const auto& table : program.getTables())
            lookups.emplace_back(*table);
        for (const ExpressionInstruction& i : program.getInstructions())
            instructions.push_back({i.operation, i.target, std::max(i.arguments[0], 0),
                                    std::max(i.arguments[1], 0), std::max(i.arguments[2], 0),
                                    (Scalar)i.constants[0], (Scalar)i.constants[1], i.table, i.derivative});
    }
    const ExpressionProgram& getProgram() const { return program; }
    /** The number of `real`s that evaluate() works on. */
    int getNumReals(int numVectors) const { return program.getNumRegisters() * numVectors; }
    void evaluate(real* registers, int numVectors) const {
        switch (numVectors) {
            case 1:
                return run<1>(registers, numVectors);
            case 2:
                return run<2>(registers, numVectors);
            case 4:
                return run<4>(registers, numVectors);
            case 8:
                return run<8>(registers, numVectors);
            default:
                return run<0>(registers, numVectors);
        }
    }

private:
    using Operation = ExpressionOperation;
    struct Instruction {
        Operation operation;
        /** Registers; those without a use are 0, so that there is no branch on it. */
        int target, a, b, c;
        Scalar k, l;
        int table, derivative;
    };

    /** COUNT is the number of vectors, 0 where the compiler does not know it. */
    template <int COUNT>
    void run(real* registers, int numVectors) const {
        const int count = COUNT > 0 ? COUNT : numVectors;
        for (const Instruction& instruction : instructions) {
            real* target = registers + instruction.target * count;
            const real* a = registers + instruction.a * count;
            const real* b = registers + instruction.b * count;
            const real* c = registers + instruction.c * count;
            const real k = instruction.k, l = instruction.l;
            auto forEach = [&](auto function) {
                for (int v = 0; v < count; v++)
                    target[v] = function(v);
            };
            const real zero = 0.0, one = 1.0;
            switch (instruction.operation) {
#define OPERATION(name, result)                         \
    case Operation::name:                               \
        forEach([&](int v) -> real { return result; }); \
        break;
                OPERATION(Constant, (void(v), k))
                OPERATION(Add, a[v] + b[v])
                OPERATION(Subtract, a[v] - b[v])
                OPERATION(Multiply, a[v] * b[v])
                OPERATION(Divide, a[v] / b[v])
                OPERATION(Negate, -a[v])
                OPERATION(Reciprocal, one / a[v])
                OPERATION(AddConstant, a[v] + k)
                OPERATION(SubtractFromConstant, k - a[v])
                OPERATION(MultiplyConstant, k * a[v])
                OPERATION(DivideConstant, k / a[v])
                OPERATION(Linear, k * a[v] + l)
                OPERATION(MultiplyAdd, a[v] * b[v] + c[v])
                OPERATION(MultiplySubtract, a[v] * b[v] - c[v])
                OPERATION(NegateMultiplyAdd, c[v] - a[v] * b[v])
                OPERATION(MultiplyAddConstant, a[v] * b[v] + k)
                OPERATION(MultiplyConstantAdd, k * a[v] + b[v])
                OPERATION(MultiplyConstantSubtract, k * a[v] - b[v])
                OPERATION(Power, POW(a[v], b[v]))
                OPERATION(PowerConstant, POW(a[v], k))
                OPERATION(Sqrt, SQRT(a[v]))
                OPERATION(Exp, FULL_EXP(a[v]))
                OPERATION(Log, LOG(a[v]))
                OPERATION(Sin, SIN(a[v]))
                OPERATION(Cos, COS(a[v]))
                OPERATION(Tan, TAN(a[v]))
                OPERATION(Asin, ASIN(a[v]))
                OPERATION(Acos, ACOS(a[v]))
                OPERATION(Atan, ATAN(a[v]))
                OPERATION(Atan2, ATAN2(a[v], b[v]))
                OPERATION(Sinh, SINH(a[v]))
                OPERATION(Cosh, COSH(a[v]))
                OPERATION(Tanh, TANH(a[v]))
                OPERATION(Erf, ERF(a[v]))
                OPERATION(Erfc, ERFC(a[v]))
                OPERATION(Step, SELECT(a[v] >= zero, one, zero))
                OPERATION(Delta, SELECT(a[v] == zero, one, zero))
                OPERATION(Min, SELECT(b[v] < a[v], b[v], a[v]))
                OPERATION(Max, SELECT(a[v] < b[v], b[v], a[v]))
                OPERATION(Abs, FABS(a[v]))
                OPERATION(Floor, FLOOR(a[v]))
                OPERATION(Ceil, -FLOOR(-a[v]))
                OPERATION(Select, SELECT(a[v] == zero, c[v], b[v]))
                OPERATION(SelectStep, SELECT(a[v] >= zero, b[v], c[v]))
#undef OPERATION
                case Operation::Table:
                    for (int v = 0; v < count; v++) {
                        const real arguments[] = {a[v], b[v], c[v]};
                        target[v] = lookups[instruction.table].evaluate(arguments, instruction.derivative);
                    }
                    break;
                case Operation::Input:
                    break;
            }
        }
    }

    ExpressionProgram program;
    std::vector<ExpressionLookup> lookups;
    std::vector<Instruction> instructions;
};
